"""Definitions and calls, read from the files as they are."""

import pytest

from victor_memory.codebase import structure as module
from victor_memory.codebase.structure import Structure
from victor_memory.errors import InvalidRequestError
from victor_memory.redaction import Redaction

CLIENT = '''
from http import HTTPStatus
import json as j

class Client:
    """A client."""

    def get(self, url):
        return self.send("GET", url)

    def send(self, method, url):
        return json.loads(transport.get(url))

class Server:
    def get(self):
        def inner():
            return Client().get("x")
        return inner()
'''
USE = "from client import Client\n\nresponse = Client().get('y')\nget_all = 1\n"
JS = "class Client {\n  get(url) { return fetch(url); }\n}\nnew Client().get('a');\n"
ODD = "procedure Get is\nbegin\n   get(1);\nend Get;\n"


@pytest.fixture
def root(tmp_path, write):
    files = {
        "src/client.py": CLIENT,
        "src/use.py": USE,
        "web/client.js": JS,
        "README.md": "# Get\n",
    }
    for path, text in files.items():
        write.file(tmp_path, path, text)
    return tmp_path


def places(answer):
    return [(one.path, one.start_line) for one in answer.results]


def lines(answer):
    return [(one.path, one.line, one.within) for one in answer.results]


async def test_where_a_name_is_defined(root):
    answer = await Structure(root).symbols("get")
    assert [(one.path, one.start_line, one.kind, one.qualified) for one in answer.results] == [
        ("src/client.py", 8, "method", "Client.get"),
        ("src/client.py", 15, "method", "Server.get"),
        ("web/client.js", 2, "method", "Client.get"),
    ]
    first = answer.results[0]
    assert (first.signature, first.end_line) == ("def get(self, url)", 9)
    assert first.parsed
    assert (answer.looked.files, answer.looked.complete) == (4, True)
    assert answer.looked.notice() is None


async def test_a_qualified_name_a_kind_and_a_glob_narrow_it(root):
    structure = Structure(root)
    assert places(await structure.symbols("Server.get")) == [("src/client.py", 15)]
    assert places(await structure.symbols("Client::get", path="web/")) == [("web/client.js", 2)]
    assert places(await structure.symbols("Client", kind="class")) == [
        ("src/client.py", 5), ("web/client.js", 1),
    ]  # fmt: skip
    assert places(await structure.symbols("Client", kind="method")) == []
    limited = await structure.symbols("get", limit=1)
    assert (len(limited.results), limited.total) == (1, 3)


async def test_a_declaration_is_found_behind_the_definition(tmp_path, write):
    write.file(
        tmp_path,
        "include/tree.h",
        '#ifdef __cplusplus\nextern "C" {\n#endif\nAPI int tree_grow(struct tree *t,\n'
        "                  int by);\nint (*tree_hook)(void);\n#ifdef __cplusplus\n}\n#endif\n",
    )
    write.file(
        tmp_path, "src/tree.c", "int tree_grow(struct tree *t, int by)\n{\n  return by;\n}\n"
    )
    structure = Structure(tmp_path)
    answer = await structure.symbols("tree_grow")
    assert [(one.path, one.start_line, one.kind) for one in answer.results] == [
        ("src/tree.c", 1, "function"),
        ("include/tree.h", 4, "declaration"),
    ]
    assert answer.results[1].end_line == 5
    assert answer.results[1].signature == "API int tree_grow(struct tree *t, int by)"
    only = await structure.symbols("tree_grow", kind="declaration")
    assert places(only) == [("include/tree.h", 4)]
    assert not (await structure.symbols("tree_hook")).results
    outline = await structure.outline("include/tree.h")
    assert [one.name for one in outline.symbols] == ["tree_grow"]


async def test_case_counts_only_if_something_is_called_exactly_so(root, write):
    structure = Structure(root)
    assert places(await structure.symbols("CLIENT"))[0] == ("src/client.py", 5)
    write.file(root, "src/const.py", "CLIENT = Client()\n")
    assert places(await structure.symbols("CLIENT")) == [("src/const.py", 1)]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("Clint", "Client"),
        ("lient", "Client"),
        ("Clientt", "Client"),
        ("send_get", "Sender.send_gat"),
    ],
)
async def test_near_misses_are_suggested(root, write, asked, wanted):
    write.file(root, "more.py", "def server_get():\n    pass\n\nclass Sender:\n    send_gat = 1\n")
    answer = await Structure(root).symbols(asked)
    assert answer.results == ()
    assert answer.suggestions[0] == wanted
    assert "Server" not in answer.suggestions


async def test_what_calls_it(root):
    answer = await Structure(root).callers("get")
    assert lines(answer) == [
        ("src/client.py", 12, "Client.send"),
        ("src/client.py", 17, "Server.get.inner"),
        ("src/use.py", 3, None),
        ("web/client.js", 4, None),
    ]
    assert answer.results[2].text == "response = Client().get('y')"
    assert lines(await Structure(root).callers("Client.get", path="src/use.py")) == [
        ("src/use.py", 3, None)
    ]
    limited = await Structure(root).callers("get", limit=2)
    assert (len(limited.results), limited.total) == (2, 4)


async def test_it_sees_the_files_as_they_are_now(root, write):
    structure = Structure(root)
    await structure.symbols("get")
    write.file(root, "src/client.py", "def other():\n    get()\n")
    assert places(await structure.symbols("get")) == [("web/client.js", 2)]
    assert lines(await structure.callers("get"))[0] == ("src/client.py", 2, "other")


async def test_a_language_without_a_grammar_is_searched_by_text_and_says_so(tmp_path, write):
    write.file(tmp_path, "src/main.adb", "procedure Fetch is\nbegin\n   Fetch (1);\nend Fetch;\n")
    structure = Structure(tmp_path)
    answer = await structure.callers("Fetch")
    assert [(one.line, one.parsed) for one in answer.results] == [(3, False)]
    assert answer.looked.as_text == 1
    assert "searched by text" in answer.looked.notice()
    write.file(tmp_path, "src/tool.cr", "def fetch_all(url)\n  fetch_all(url)\nend\n")
    found = await structure.symbols("fetch_all")
    assert [(one.start_line, one.parsed) for one in found.results] == [(1, False)]
    calls = await structure.callers("fetch_all")
    assert [(one.line, one.parsed) for one in calls.results] == [(2, False)]


async def test_a_cap_that_was_hit_is_said(root, monkeypatch):
    monkeypatch.setattr(module, "MAX_PARSED", 1)
    monkeypatch.setattr(Structure._opened, "__kwdefaults__", {"most": 1})
    answer = await Structure(root).callers("get")
    assert {one.path for one in answer.results} == {"src/client.py"}  # it has the name most often
    assert not answer.looked.complete
    assert "3 of 4 files have the name, and only the 1" in answer.looked.notice()


async def test_names_are_whole_words_in_any_script_and_encoding(tmp_path, write):
    write.file(tmp_path, "a.py", "def größe():\n    return größer()\ndef größer():\n    pass\n")
    write.file(tmp_path, "b.py", "def fetch():\n    pass\n".encode("utf-16"))
    write.file(tmp_path, "c.py", "def prefetch():\n    prefetch()\n")
    structure = Structure(tmp_path)
    assert places(await structure.symbols("größe")) == [("a.py", 1)]
    fetch = await structure.symbols("fetch")
    assert places(fetch) == [("b.py", 1)]
    assert fetch.looked.candidates == 1


async def test_what_is_not_indexed_is_not_looked_at(root, write):
    write.file(root, "node_modules/x/index.js", "function get() {}\n")
    write.file(root, ".gitignore", "ignored.py\n")
    write.file(root, "ignored.py", "def get():\n    pass\n")
    write.file(root, "generated.py", "# Code generated by x. DO NOT EDIT.\ndef get():\n    pass\n")
    paths = {path for path, _ in places(await Structure(root).symbols("get"))}
    assert paths == {"src/client.py", "web/client.js"}


async def test_outline_of_a_file(root):
    answer = await Structure(root).outline("src/client.py")
    assert [(one.qualified, one.start_line, one.end_line) for one in answer.symbols] == [
        ("Client", 5, 12), ("Client.get", 8, 9), ("Client.send", 11, 12),
        ("Server", 14, 18), ("Server.get", 15, 18), ("Server.get.inner", 16, 17),
    ]  # fmt: skip
    assert [(one.module, one.names) for one in answer.imports] == [
        ("http", ("HTTPStatus",)), ("json", ()),
    ]  # fmt: skip
    assert (answer.language, answer.parsed) == ("python", True)


async def test_secrets_are_not_shown(tmp_path, write):
    secret = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    write.file(tmp_path, "a.py", f'def login(token="{secret}"):\n    login("{secret}", "Ada")\n')
    structure = Structure(tmp_path, redactors=[lambda t: Redaction(t.replace("Ada", "[name]"))])
    everything = str(await structure.symbols("login")) + str(await structure.callers("login"))
    everything += str(await structure.outline("a.py"))
    assert secret not in everything
    assert "Ada" not in everything
    assert "[redacted:github-token]" in everything


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone.py", "no file 'gone.py'"),
        ("../x.py", "not below the root"),
        ("/etc/passwd", "not below the root"),
        ("", "not below the root"),
        (".env", "may hold secrets"),
        ("link.py", "cannot be read"),
        ("binary.dat", "not text"),
    ],
)
async def test_an_outline_that_cannot_be_given(root, write, path, message):
    write.file(root, ".env", "A=1\n")
    write.file(root, "binary.dat", b"\0\1\2")
    (root / "link.py").symlink_to(root / "src" / "client.py")
    with pytest.raises(InvalidRequestError, match=message):
        await Structure(root).outline(path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": " "}, "is no name"),
        ({"name": "two words"}, "is no name"),
        ({"name": "x", "limit": 0}, "1 to 10000"),
        ({"name": "x", "kind": "thing"}, "no kind 'thing'"),
        ({"name": "x", "path": "#"}, "matches nothing"),
    ],
)
async def test_a_question_that_cannot_be_answered(root, given, message):
    with pytest.raises(InvalidRequestError, match=message):
        await Structure(root).symbols(**given)
