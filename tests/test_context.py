"""What an agent reads first: code and conversation in one budget, and nothing twice."""

from datetime import UTC, datetime, timedelta

import pytest

from victor_memory import MemorySettings, open_runtime
from victor_memory.context import Item, _packed, build_context
from victor_memory.conversation.ledger import fingerprint
from victor_memory.conversation.records import Turn
from victor_memory.errors import InvalidRequestError

NOW = datetime.now(UTC)


@pytest.fixture
def settings(tmp_path):
    return MemorySettings(
        embeddings_dir=tmp_path / "e", embedding_model_type="hashing", vector_store="memory"
    )


@pytest.fixture
def repo(tmp_path):
    root = tmp_path / "repo"
    root.mkdir()
    (root / "retry.py").write_text(
        "def retry_limit():\n    '''How often a request is tried.'''\n    return 5\n",
        encoding="utf-8",
    )
    return root


@pytest.fixture
async def memory(settings, repo):
    async with open_runtime(settings, project=repo) as opened:
        yield opened


def item(text, key=None, kind="code"):
    return Item(kind, "p", "## p", text, key or text)


async def test_code_and_conversation_are_in_it_once(memory):
    await memory.conversation.remember("The retry limit is five, because of the gateway.")
    built = await memory.context("why is the retry limit five?")
    assert {one.kind for one in built.items} == {"code", "conversation"}
    assert built.text.count("because of the gateway") == 1
    assert "retry.py:1-3" in built.text
    assert built.tokens >= len(built.text) // 4


async def test_a_session_is_given_nothing_twice_also_after_a_restart(settings, repo):
    async with open_runtime(settings, project=repo) as memory:
        await memory.conversation.remember("The retry limit is five, because of the gateway.")
        first = await memory.context("the retry limit", session="s", code=False)
        again = await memory.context("the retry limit", session="s", code=False)
        other = await memory.context("the retry limit", session="t", code=False)
        assert first.text == other.text != ""
        assert (again.text, again.repeated) == ("", 1)
        assert memory.ledger.seen("s")
    async with open_runtime(settings, project=repo) as memory:
        await memory.conversation.remember("The retry limit is five, because of the gateway.")
        assert (await memory.context("the retry limit", session="s", code=False)).text == ""
        memory.ledger.end("s")
        assert (await memory.context("the retry limit", session="s", code=False)).text != ""


async def test_without_a_session_nothing_is_noted(memory, settings):
    await memory.conversation.remember("The retry limit is five.")
    for _ in range(2):
        assert (await memory.context("the retry limit", code=False)).items
    assert not (settings.embeddings_dir / "ledgers").exists()


async def test_what_the_session_said_itself_is_not_told_to_it(memory):
    await memory.conversation.add_turns([Turn("the retry limit is five", "s", "user", 0)])
    assert (await memory.context("what is the retry limit", session="s", code=False)).items == ()
    assert (await memory.context("what is the retry limit", session="t", code=False)).items


async def test_nothing_relevant_is_nothing(memory):
    await memory.conversation.remember("The retry limit is five.")
    built = await memory.context("medieval falconry manuals", code=False)
    assert (built.items, built.text, built.tokens) == ((), "", 0)


async def test_a_new_session_is_told_what_lasts_and_how_the_last_one_ended(memory):
    said = memory.conversation
    await said.remember("I prefer tabs", kind="preference", scope="user")
    await said.remember("Finish the importer", kind="task")
    await said.remember("The API port is 8080", kind="decision")
    await said.remember("The API port is 9090", kind="decision")
    await said.add_turns(
        Turn(
            f"turn {n} " + "long " * 100, "last", "user", n, created_at=NOW + n * timedelta(hours=1)
        )
        for n in range(9)
    )
    built = await memory.context(session="new")
    for expected in ("I prefer tabs", "Finish the importer", "9090", "turn 8", "turn 7"):
        assert expected in built.text
    for left_out in ("8080", "turn 2"):
        assert left_out not in built.text
    assert built.text.index("prefer tabs") < built.text.index("9090") < built.text.index("turn 8")
    assert (await memory.context(session="new")).text == ""


async def test_an_empty_memory_says_nothing_and_creates_nothing(tmp_path, repo):
    settings = MemorySettings(embeddings_dir=tmp_path / "e", embedding_model_type="hashing")
    async with open_runtime(settings, project=repo) as memory:
        assert (await memory.context(session="s")).text == ""
    assert not (tmp_path / "e").exists()


def test_the_budget_holds_and_a_shorter_one_may_follow():
    long, short = item("long " * 100), item("short")
    taken, _ = _packed([[long, short]], 20, frozenset())
    assert taken == [short]
    assert sum(one.tokens for one in taken) <= 20


def test_the_best_of_both_come_in_turns():
    code = [item(f"code{n} alpha{n} beta{n}") for n in range(3)]
    said = [item(f"said{n} gamma{n} delta{n}", kind="conversation") for n in range(2)]
    taken, _ = _packed([said, code], 1000, frozenset())
    assert taken == [said[0], code[0], said[1], code[1], code[2]]


def test_what_repeats_what_is_there_is_left_out():
    text = "the retry limit is five because the gateway drops connections"
    taken, _ = _packed([[item(text), item(text.upper() + "!", "other")]], 1000, frozenset())
    assert [one.text for one in taken] == [text]


def test_what_was_given_before_makes_room():
    one, two = item("first thing here"), item("second thing there")
    taken, repeated = _packed([[one, two]], 1000, frozenset({fingerprint(one.key)}))
    assert (taken, repeated) == ([two], 1)


@pytest.mark.parametrize("options", [{"budget": 3}, {"budget": True}, {"query": "  "}])
async def test_what_cannot_be_meant_is_refused(memory, options):
    given = {"query": "x", **options}
    with pytest.raises(InvalidRequestError):
        await build_context(given.pop("query"), conversation=memory.conversation, **given)
