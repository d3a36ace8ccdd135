import pytest

from victor_memory.codebase import search as search_module
from victor_memory.codebase.memory import CodebaseMemory
from victor_memory.errors import InvalidRequestError

FILES = {
    "src/auth/token.py": (
        '"""Access tokens."""\n\n\ndef check_token(token, now):\n'
        '    """Refuse an expired or forged token."""\n    return token.expires > now\n'
    ),
    "src/auth/session.py": "class SessionStore:\n    def open(self, user):\n        return user\n",
    "src/net/HttpServer.java": (
        "public class HttpServer {\n  public void listen(int port) {\n    bind(port);\n  }\n}\n"
    ),
    "tests/test_token.py": (
        "from auth import check_token\n\n\ndef test_check_token():\n"
        "    assert check_token(TOKEN, now=0)\n"
    ),
    "docs/tokens.md": "# Tokens\n\nA token is checked by check_token before each request.\n",
    "src/geometry.py": "def area(width, height):\n    return width * height\n",
}


@pytest.fixture
def memory(root, provider):
    return CodebaseMemory(provider, root)


def paths(answer):
    return [hit.path for hit in answer.hits]


class TestAnswers:
    @pytest.mark.parametrize("mode", ["hybrid", "semantic", "lexical"])
    async def test_the_definition_stands_first(self, memory, mode):
        answer = await memory.search("check_token", mode=mode)
        assert paths(answer)[0] == "src/auth/token.py"
        assert answer.mode == mode
        assert answer.query == "check_token"

    async def test_a_hit_says_where_what_and_why(self, memory):
        hit = (await memory.search("refuse an expired token")).hits[0]
        assert (hit.path, hit.start_line, hit.end_line) == ("src/auth/token.py", 1, 6)
        assert (hit.symbol, hit.language) == ("check_token", "python")
        assert hit.text == FILES["src/auth/token.py"].rstrip()
        assert hit.score > 0
        added = ("text", "file_name", "directory", "definition", "symbol", "file")
        assert hit.score == pytest.approx(
            sum(hit.parts[name] for name in added) * hit.parts["place"] * hit.parts["repeat"]
        )
        assert {"lexical", "dense"} <= hit.parts.keys()

    async def test_hits_are_ordered_and_limited(self, memory):
        answer = await memory.search("token", limit=3)
        scores = [hit.score for hit in answer.hits]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)

    async def test_tests_stand_behind_code_unless_asked_for(self, memory):
        code = await memory.search("check_token")
        assert paths(code).index("src/auth/token.py") < paths(code).index("tests/test_token.py")
        tests = await memory.search("tests of check_token")
        assert tests.hits[0].path == "tests/test_token.py"

    @pytest.mark.parametrize("query", ["!!!", "的", "%%% $$$", "a" * 5000, "x OR 1=1; --", "\n\n?"])
    async def test_any_text_is_a_query(self, memory, query):
        await memory.search(query)

    async def test_searching_is_repeatable(self, memory):
        assert (await memory.search("token")).hits == (await memory.search("token")).hits

    async def test_one_large_file_does_not_fill_the_list(self, root, memory, write):
        write(root, **{"src/large.py": "\n".join(f"def token_{n}():\n" + "    token = token\n" * 50
                                                 for n in range(40))})  # fmt: skip
        found = paths(await memory.search("token", limit=10))
        assert found.count("src/large.py") > 1
        assert "src/auth/token.py" in found


class TestFilters:
    @pytest.mark.parametrize(
        ("glob", "expected"),
        [
            ("src/**/*.py", {"src/auth/token.py", "src/auth/session.py", "src/geometry.py"}),
            ("./src/auth", {"src/auth/token.py", "src/auth/session.py"}),
            ("auth/", {"src/auth/token.py", "src/auth/session.py"}),
            ("*.java", {"src/net/HttpServer.java"}),
            ("/docs/*", {"docs/tokens.md"}),
            ("src/auth/token.py", {"src/auth/token.py"}),
            ("src/[ag]*/*", {"src/auth/token.py", "src/auth/session.py"}),
            ("nothing/here", set()),
        ],
    )
    async def test_by_path(self, memory, glob, expected):
        answer = await memory.search("token area session listen", path=glob, mode="semantic")
        assert set(paths(answer)) == expected

    async def test_a_rare_path_is_found_behind_many_better_hits(
        self, root, memory, write, monkeypatch
    ):
        monkeypatch.setattr(search_module, "POOL", 5)
        write(root, **{f"many/m{number}.py": "token = token\n" * 5 for number in range(60)})
        write(root, **{"rare/r.py": "other = 1\n# mentions a token, once, among much else\n" * 3})
        answer = await memory.search("token", limit=1, path="*/r.py")
        assert paths(answer) == ["rare/r.py"]

    @pytest.mark.parametrize("language", ["java", "Java", ".java"])
    async def test_by_language(self, memory, language):
        answer = await memory.search("token", language=language)
        assert set(paths(answer)) <= {"src/net/HttpServer.java"}
        assert paths(await memory.search("listen port", language=language))


class TestRequests:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"query": ""}, "Say what to look for"),
            ({"query": " \n"}, "Say what to look for"),
            ({"query": None}, "Say what to look for"),
            ({"limit": 0}, "ask for 1 to"),
            ({"limit": -1}, "ask for 1 to"),
            ({"limit": True}, "ask for 1 to"),
            ({"limit": "3"}, "ask for 1 to"),
            ({"limit": 10**9}, "ask for 1 to"),
            ({"mode": "fuzzy"}, "Use one of: hybrid, semantic, lexical"),
            ({"path": ""}, "Write for example"),
            ({"path": "!src"}, "Write for example"),
            ({"path": "\\"}, "Write for example"),
            ({"language": "pyton"}, "Did you mean python"),
        ],
    )
    async def test_what_cannot_be_answered_says_what_can(
        self, memory, provider, arguments, message
    ):
        with pytest.raises(InvalidRequestError, match=message):
            await memory.search(**{"query": "token", **arguments})
        # Refused before anything was done for it.
        assert await provider.count() == 0

    def test_a_root_that_is_none(self, provider, tmp_path):
        with pytest.raises(InvalidRequestError, match="does not exist"):
            CodebaseMemory(provider, tmp_path / "nowhere")


class TestStatus:
    async def test_it_counts_and_changes_nothing(self, root, memory, provider, write, contents):
        await memory.index()
        before = await contents(provider)
        write(root, **{"src/new.py": "new = 1\n", "logo.png": b"\0"})
        (root / "src/geometry.py").unlink()
        status = await memory.status()
        assert (status.files, status.chunks, status.stale_files) == (len(FILES), len(before), 2)
        assert status.left_out == {"binary": 1}
        assert status.left_out_examples == {"binary": ("logo.png",)}
        assert status.source == "walk"
        assert status.store.records == len(before)
        assert status.root == str(root)
        assert await contents(provider) == before

    async def test_stats_are_the_stores(self, memory, provider):
        assert await memory.stats() == await provider.stats()
