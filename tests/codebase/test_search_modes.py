"""Modes, filters, budget and map of a search, asked of the store and of the copy in memory."""

import asyncio
import itertools

import pytest

from victor_memory.codebase import answers
from victor_memory.codebase import resident as resident_module
from victor_memory.codebase import search as search_module
from victor_memory.codebase.answers import CodeHit, asks_for_overview, within
from victor_memory.codebase.memory import CodebaseMemory
from victor_memory.codebase.request import SearchRequest, likeness
from victor_memory.codebase.search import POOL, POOL_WITHOUT_COPY
from victor_memory.config import EmbeddingConfig
from victor_memory.errors import InvalidRequestError
from victor_memory.providers.memory import MemoryProvider

CLIENT = '''"""A client."""


class Client:
    """Talks to a server."""

    def get(self, url):
        """Fetch a document."""
        return self.send("GET", url)

    def send(self, method, url):
        """Send a request and wait for the answer."""
        return connect(url).request(method)


def connect(url):
    """Open a socket."""
    return Socket(url)
'''
FILES = {
    "src/client.py": CLIENT,
    "src/cache.py": (
        "class Cache:\n    def get(self, key):\n        return self.entries[key]\n\n\n"
        "class Target:\n    def getter(self):\n        return 1\n"
    ),
    "src/store.ts": "export interface Store {\n  get(key: string): string;\n}\n",
    "web/fetch.js": "export function fetchDocument(url) {\n  return send('GET', url);\n}\n",
    "README.md": "# Client\n\nThe client fetches documents.\n\n## Cache\n\nIt keeps entries.\n",
}


@pytest.fixture(params=["store", "resident"])
async def memory(request, root, provider):
    memory = CodebaseMemory(provider, root)
    await memory.index()
    if request.param == "resident":
        await memory.warm()
        index = await memory._resident.current()
        assert index is not None
        monkeyed = provider.search, provider.search_text
        provider.search = provider.search_text = None
        yield memory
        provider.search, provider.search_text = monkeyed
    else:
        memory._resident._limit = 0
        yield memory
        assert memory._resident._index is None
    await memory.close()


def paths(answer):
    return [hit.path for hit in answer.hits]


class TestSymbol:
    async def test_a_qualified_name_finds_its_definition(self, memory):
        answer = await memory.search("Client.get", mode="symbol")
        assert paths(answer)[0] == "src/client.py"
        assert "src/cache.py" not in paths(answer)[:1]

    async def test_a_bare_name_finds_every_definition_and_no_use(self, memory):
        answer = await memory.search("get", mode="symbol")
        assert set(paths(answer)) >= {"src/client.py", "src/cache.py"}
        assert "web/fetch.js" not in paths(answer)

    async def test_an_unknown_name_finds_nothing(self, memory):
        assert paths(await memory.search("no_such_name_at_all", mode="symbol")) == []


class TestRelated:
    async def test_a_place_finds_what_is_like_it_and_not_itself(self, memory):
        answer = await memory.search("src/client.py:7-9", mode="related", limit=3)
        assert answer.hits
        assert not any(hit.path == "src/client.py" and hit.start_line <= 7 for hit in answer.hits)

    async def test_a_whole_file_is_a_place(self, memory):
        answer = await memory.search("./src/client.py", mode="related")
        assert "src/client.py" not in paths(answer)
        assert "web/fetch.js" in paths(answer)

    @pytest.mark.parametrize(
        "place", ["src/none.py", "src/client.py:900", "how does it work", "two\nlines"]
    )
    async def test_an_unknown_place_is_refused(self, memory, place):
        with pytest.raises(InvalidRequestError, match="not in the index"):
            await memory.search(place, mode="related")


class TestFilters:
    async def test_by_kind(self, memory):
        answer = await memory.search("get a document", kind="interface")
        assert paths(answer) == ["src/store.ts"]

    async def test_by_symbol(self, memory):
        assert set(paths(await memory.search("anything", symbol="Cache.get"))) == {"src/cache.py"}

    async def test_by_language(self, memory):
        assert set(paths(await memory.search("get", language="typescript"))) == {"src/store.ts"}

    async def test_by_glob(self, memory):
        assert set(paths(await memory.search("get url", path="web/**"))) == {"web/fetch.js"}

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"kind": "gadget"}, "no kind 'gadget'"),
            ({"symbol": "  "}, "symbol is empty"),
            ({"budget": 1}, "budget is 1"),
            ({"budget": True}, "budget is True"),
        ],
    )
    async def test_what_cannot_be_asked_is_refused(self, memory, given, message):
        with pytest.raises(InvalidRequestError, match=message):
            await memory.search("get", **given)


class TestAnswers:
    async def test_files_are_mapped_best_first_with_their_names(self, memory):
        answer = await memory.search("how does the client send a request")
        assert answer.files[0].path == "src/client.py"
        assert {"Client", "Client.send"} <= set(answer.files[0].symbols)
        scores = [one.score for one in answer.files]
        assert scores == sorted(scores, reverse=True)

    async def test_a_budget_is_kept(self, memory):
        answer = await memory.search("client get document", budget=60)
        assert 0 < sum(hit.tokens for hit in answer.hits) <= 60

    async def test_the_store_and_the_copy_say_the_same(self, root, provider):
        memory = CodebaseMemory(provider, root)
        await memory.index()
        for query in ("get a document", "Cache", "open a socket", "README client"):
            memory._resident._limit = 0
            stored = await memory.search(query)
            memory._resident._limit = 1000
            await memory.warm()
            assert await memory._resident.current() is not None
            resident = await memory.search(query)
            assert paths(resident) == paths(stored)
            assert [hit.score for hit in resident.hits] == pytest.approx(
                [hit.score for hit in stored.hits], rel=1e-4
            )

    @pytest.mark.parametrize(("held", "pool"), [(1000, POOL), (0, POOL_WITHOUT_COPY)])
    async def test_a_store_is_asked_for_less_where_it_always_answers(
        self, root, provider, monkeypatch, held, pool
    ):
        memory = CodebaseMemory(provider, root)
        await memory.index()
        memory._resident._limit = held
        asked, search = [], provider.search

        async def noted(vector, *, limit, **rest):
            asked.append(limit)
            return await search(vector, limit=limit, **rest)

        monkeypatch.setattr(provider, "search", noted)
        await memory.search("get a document")
        assert asked == [pool]


class TestCopy:
    async def test_it_follows_the_writes_of_this_process(self, root, provider, write):
        memory = CodebaseMemory(provider, root)
        await memory.index()
        await memory.warm()
        write(root, **{"src/new.py": "def quetzal():\n    return 1\n"})
        (root / "src/cache.py").unlink()
        assert paths(await memory.search("quetzal"))[0] == "src/new.py"
        assert await memory._resident.current() is not None
        assert "src/cache.py" not in paths(await memory.search("cache entries key"))

    async def test_it_follows_the_writes_of_others(self, root, new_lance, write):
        one, other = CodebaseMemory(new_lance(), root), CodebaseMemory(new_lance(), root)
        await one.index()
        await one.warm()
        assert await one._resident.current() is not None
        write(root, **{"src/new.py": "def quetzal():\n    return 1\n"})
        await other.index()
        assert paths(await one.search("quetzal", refresh=False))[0] == "src/new.py"
        assert await one._resident.current() is not None

    async def test_it_may_be_forgotten_while_it_catches_up(self, root, new_lance, write):
        one, other = CodebaseMemory(new_lance(), root), CodebaseMemory(new_lance(), root)
        await one.index()
        await one.warm()
        write(root, **{"src/new.py": "def quetzal():\n    return 1\n"})
        await other.index()
        await one._indexer.sync()
        read = one._resident._read

        async def reset_meanwhile(wanted):
            await read(wanted)
            one._resident.reset()

        one._resident._read = reset_meanwhile
        assert await one._resident.current() is None
        assert paths(await one.search("quetzal", refresh=False))[0] == "src/new.py"

    async def test_a_large_collection_is_left_to_the_store(self, root, provider):
        memory = CodebaseMemory(provider, root)
        memory._resident._limit = 3
        await memory.index()
        await memory.warm()
        assert await memory._resident.current() is None
        assert paths(await memory.search("Client"))

    async def test_a_second_search_makes_it(self, root, provider):
        memory = CodebaseMemory(provider, root)
        await memory.index()
        await memory.search("get")
        assert memory._resident._index is None
        await memory.search("get")
        await asyncio.sleep(0)
        assert memory._resident._index is not None
        await memory.warm()
        assert await memory._resident.current() is not None
        await memory.close()

    def test_it_is_made_where_every_search_has_an_event_loop_of_its_own(
        self, root, new_provider, write, monkeypatch
    ):
        monkeypatch.setattr(resident_module, "FILES_AT_ONCE", 2)
        provider = new_provider()
        memory = CodebaseMemory(provider, root)
        take = memory._resident._take

        async def longer_than_a_search(batches, wanted):
            await asyncio.sleep(0.2)
            await take(batches, wanted)

        memory._resident._take = longer_than_a_search

        def search(query):
            return asyncio.run(memory.search(query))

        for _ in range(4):
            assert "src/cache.py" in paths(search("Cache get"))
        assert asyncio.run(memory._resident.current()) is not None
        write(root, **{f"src/new{n}.py": f"def quetzal_{n}(): ...\n" for n in range(5)})
        other = CodebaseMemory(provider, root)
        asyncio.run(other.index())
        for _ in range(4):
            assert "src/new3.py" in paths(search("quetzal"))
        assert asyncio.run(memory._resident.current()) is not None
        asyncio.run(provider.close())


def hit(text, start=1):
    lines = text.count("\n")
    return CodeHit("a.py", start, start + lines, None, None, 1.0, text, {})


class TestWithin:
    def test_without_a_budget_all_are_kept(self):
        assert within([hit("x" * 9000), hit("y")], None) == [hit("x" * 9000), hit("y")]

    def test_one_that_is_too_long_makes_room_for_the_next(self):
        assert [
            one.text[0] for one in within([hit("a" * 40), hit("b" * 400), hit("c" * 40)], 25)
        ] == [
            "a",
            "c",
        ]

    def test_the_first_is_cut_at_a_line(self):
        (only,) = within([hit("one\ntwo\n" + "three " * 50, start=7)], 4)
        assert (only.text, only.start_line, only.end_line) == ("one\ntwo", 7, 8)

    def test_a_first_line_that_is_too_long_is_cut(self):
        (only,) = within([hit("x" * 900)], 50)
        assert (len(only.text), only.end_line) == (200, 1)


@pytest.mark.parametrize(
    ("wanted", "name", "least", "most"),
    [
        ("Client.get", "http.Client.get", 1, 1),
        ("Client::get", "Client.get", 1, 1),
        ("client.GET", "Client.get", 0.5, 0.9),
        ("Conn", "Connection", 0.1, 0.6),
        ("get", "target", 0, 0),
        ("Other.get", "Client.put", 0, 0),
        ("...", "Client", 0, 0),
    ],
)
def test_likeness_of_names(wanted, name, least, most):
    assert least <= likeness(wanted, name) <= most


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("src/a.py", ("src/a.py", 1, None)),
        ("src/a.py:12", ("src/a.py", 12, 12)),
        ("./src/a.py:12-30", ("src/a.py", 12, 30)),
        ("src\\a.py:3", ("src/a.py", 3, 3)),
        ("c:odd name.py", ("c:odd name.py", 1, None)),
    ],
)
def test_places(query, place):
    assert SearchRequest.of(query, mode="related").place() == place


def test_an_overview_is_recognised():
    assert asks_for_overview("What is the architecture of this project?")
    assert not asks_for_overview("where are tokens checked")


async def test_neighbours_are_one_piece_and_edges_are_trimmed(tmp_path, write, provider):
    function = "def {0}_{1}(x):\n    # {0}\n" + "    x += 1  # padding of some length\n" * 9
    text = "\n\n".join(function.format(word, n) for n in range(3) for word in ("ant", "bee"))
    write(tmp_path, **{"a.py": text})
    memory = CodebaseMemory(provider, tmp_path)
    answer = await memory.search("ant_1", limit=10)
    lines = text.split("\n")
    spans = sorted((one.start_line, one.end_line) for one in answer.hits)
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(spans))
    for one in answer.hits:
        assert one.text == "\n".join(lines[one.start_line - 1 : one.end_line])
        assert len(one.text) <= max(answers.MERGED_CHARACTERS, 3000)


def trimmed(*bodies, words):
    """Return the numbers of the definitions with *bodies* that stay in a hit for *words*."""
    texts = [f"def f{number}():\n    {body}\n" for number, body in enumerate(bodies)]
    text = "\n\n".join(texts) + "# " + "-" * answers.SHORT
    hit = CodeHit("a.py", 1, text.count("\n") + 1, None, "python", 1.0, text, {})
    starts = [1 + text[: text.index(one)].count("\n") for one in texts]
    kept = answers._trimmed(hit, starts, words).text
    return [number for number in range(len(bodies)) if f"def f{number}(" in kept]


@pytest.mark.parametrize(
    ("bodies", "kept"),
    [
        (["retry", "x", "y"], [0]),
        (["retry", "after", "z"], [0, 1]),  # one word each: none is better
        (["retry", "retry after", "z"], [1]),  # one word beside two may be chance
        (["retry after", "retry", "retry after"], [0, 1, 2]),  # only edges are left out
        (["retry after", "retry after failure wait", "wait"], [0, 1]),
        (["x", "y"], [0, 1]),
    ],
)
def test_definitions_at_the_edges_with_few_of_the_words_are_left_out(bodies, kept):
    assert trimmed(*bodies, words=("retry", "after", "failure", "wait")) == kept


class TestRanked:
    """Forty files that use a name more often than the one that defines it."""

    @pytest.fixture
    async def memory(self, tmp_path, write, provider, monkeypatch):
        monkeypatch.setattr(search_module, "RANKED", 5)
        uses = "\n".join(f"connect_to(host{number})" for number in range(20))
        write(tmp_path, **{f"use{number}.py": uses for number in range(40)})
        write(tmp_path, **{"net.py": "def connect_to(host):\n    return 1\n" + "x = 1\n" * 20})
        memory = CodebaseMemory(provider, tmp_path)
        await memory.index()
        return memory

    async def test_what_defines_a_name_is_found_behind_all_that_use_it(self, memory):
        answer = await memory.search("connect_to", limit=1)
        assert [one.path for one in answer.hits] == ["net.py"]

    async def test_a_question_has_as_many_results_as_are_wanted(self, memory):
        answer = await memory.search("where do we connect to a host", limit=30)
        assert len(answer.hits) == 30


class TestMeaningOfPaths:
    """Files that say the same, in a place that means the question and in one that does not."""

    @pytest.fixture
    async def found(self, request, root, write):
        config = EmbeddingConfig(vector_store="memory", embedding_model_type=request.param)
        write(root, **{"net/retries.py": "count = 3\n", "ui/colours.py": "count = 3\n"})
        async with MemoryProvider(config) as provider:
            memory = CodebaseMemory(provider, root)
            await memory.index()
            answer = await memory.search("how often is a failed request tried again")
            yield {hit.path: hit.parts for hit in answer.hits}

    @pytest.mark.parametrize("found", ["static"], indirect=True)
    async def test_a_quick_model_reads_the_paths(self, found):
        meaning = {path: parts["path_meaning"] for path, parts in found.items()}
        assert meaning["net/retries.py"] > meaning["ui/colours.py"]

    @pytest.mark.parametrize("found", ["hashing"], indirect=True)
    async def test_another_is_not_asked(self, found):
        assert {parts["path_meaning"] for parts in found.values()} == {0}
