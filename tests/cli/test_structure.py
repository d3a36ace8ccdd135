"""`symbols`, `callers` and `outline` as a person and a script see them."""

import json
import os
import subprocess
import sys

import pytest

CODE = "import os\n\nclass Client:\n    def get(self, url):\n        return os.fetch(url)\n"


@pytest.fixture
def repo(tmp_path):
    root = tmp_path / "repo"
    (root / "src").mkdir(parents=True)
    (root / "src" / "client.py").write_text(CODE, encoding="utf-8")
    (root / "use.py").write_text("print(Client().get('[x]'))\n", encoding="utf-8")
    (root / "main.adb").write_text("get(1);\n", encoding="utf-8")
    return root


@pytest.fixture
def run(tmp_path):
    kept = {one: value for one, value in os.environ.items() if not one.startswith("VICTOR_")}

    def execute(*arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "victor_memory", *map(str, arguments)],
            capture_output=True, check=False, text=True, encoding="utf-8", cwd=tmp_path,
            env={**kept, "HOME": str(tmp_path), "COLUMNS": "200",
                 "VICTOR_EMBEDDINGS_DIR": str(tmp_path / "embeddings")},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return execute


def test_symbols(run, repo, tmp_path):
    shown = run("symbols", "Client.get", repo).stdout
    assert shown == "src/client.py:4-5  method Client.get\n    def get(self, url)\n"
    document = json.loads(run("symbols", "get", repo, "--json").stdout)
    assert document["schema"] == "victor-memory.symbols/1"
    assert document.keys() == {
        "schema", "name", "results", "total", "suggestions", "looked", "notice",
    }  # fmt: skip
    assert document["results"][0] == {
        "path": "src/client.py", "start_line": 4, "end_line": 5, "kind": "method", "name": "get",
        "qualified": "Client.get", "signature": "def get(self, url)", "parsed": True,
    }  # fmt: skip
    assert document["looked"] == {"files": 3, "candidates": 3, "parsed": 2, "as_text": 1}
    assert not (tmp_path / "embeddings").exists()


def test_symbols_that_are_not_there(run, repo):
    done = run("symbols", "Clint", repo)
    assert done.stdout == ""
    assert "Nothing is called Clint. Alike: Client." in done.stderr
    assert "use one of" in run("symbols", "get", repo, "--kind", "x", code=2).stderr.lower()


def test_callers(run, repo):
    done = run("callers", "get", repo)
    assert done.stdout == (
        "main.adb:1  (by text)\n    get(1);\n"
        "use.py:1\n    print(Client().get('[x]'))\n"
    )  # fmt: skip
    assert "searched by text" in done.stderr
    document = json.loads(run("callers", "fetch", repo, "--json").stdout)
    assert document["results"] == [
        {"path": "src/client.py", "line": 5, "within": "Client.get", "text": "return os.fetch(url)",
         "parsed": True}
    ]  # fmt: skip
    assert "1 of 2 are shown" in run("callers", "get", repo, "-n", "1").stderr


def test_outline(run, repo):
    assert run("outline", repo / "src" / "client.py").stdout == (
        "     1  import os\n     3  class Client\n     4    def get(self, url)\n"
    )
    document = json.loads(run("outline", "repo/src/client.py", "--json").stdout)
    assert [one["qualified"] for one in document["symbols"]] == ["Client", "Client.get"]
    assert document["imports"] == [{"module": "os", "names": [], "line": 1}]
    assert "no directory" in run("outline", repo / "gone" / "x.py", code=2).stderr
    assert "no file" in run("outline", repo / "gone.py", code=2).stderr
    assert "found by text" in run("outline", repo / "main.adb").stderr
