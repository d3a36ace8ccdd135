"""The program as a person and a script see it: stdout, stderr, exit codes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

HELLO = "def say_hello(name):\n    return f'hello {name}'\n"
RETRY = "class RetryPolicy:\n    def wait_before_retry(self, attempt):\n        return 2**attempt\n"


# A shell starts what it runs in the background with interrupts ignored, this suite among it.
INTERRUPTIBLE = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "runpy.run_module('victor_memory', run_name='__main__', alter_sys=True)"
)


@pytest.fixture
def repo(tmp_path):
    root = tmp_path / "repo"
    (root / "src").mkdir(parents=True)
    (root / "src" / "hello.py").write_text(HELLO, encoding="utf-8")
    (root / "src" / "retry.py").write_text(RETRY, encoding="utf-8")
    return root


@pytest.fixture
def run(tmp_path):
    def execute(*arguments, code=0, stdin=None, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "victor_memory", *map(str, arguments)],
            capture_output=True, check=False, input=stdin, text=True, encoding="utf-8",
            env=environ(tmp_path, **environment), cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return execute


def environ(home, **more):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VICTOR_")}
    return {
        **kept, "HOME": str(home), "VICTOR_EMBEDDINGS_DIR": str(home / "embeddings"),
        "VICTOR_EMBEDDING_MODEL_TYPE": "hashing", "COLUMNS": "200", **more,
    }  # fmt: skip


def test_search_indexes_on_first_use_and_finds(run, repo):
    done = run("search", "how long to wait before a retry", repo)
    assert "src/retry.py:1-" in done.stdout
    assert "wait_before_retry" in done.stdout


def test_search_json_has_the_documented_fields(run, repo):
    document = json.loads(run("search", "say hello", repo, "--json", "-n", "1").stdout)
    assert document["schema"] == "victor-memory.search/1"
    (hit,) = document["results"]
    assert hit["path"] == "src/hello.py"
    assert (hit["start_line"], hit["end_line"]) == (1, 2)
    assert hit["text"].rstrip() == HELLO.rstrip()
    assert {"symbol", "score", "language", "parts"} <= hit.keys()


def test_search_sees_what_changed_since(run, repo):
    run("search", "hello", repo)
    (repo / "src" / "new.py").write_text("def quantum_flux():\n    return 42\n", encoding="utf-8")
    (repo / "src" / "hello.py").unlink()
    found = json.loads(run("search", "quantum flux", repo, "--json").stdout)["results"]
    assert found[0]["path"] == "src/new.py"
    assert "src/hello.py" not in {one["path"] for one in found}


def test_search_by_name_place_kind_and_within_a_budget(run, repo):
    def found(*arguments):
        done = run("search", *arguments, repo, "--json", "-n", "20")
        return [one["path"] for one in json.loads(done.stdout)["results"]]

    assert found("RetryPolicy.wait_before_retry", "--mode", "symbol") == ["src/retry.py"]
    assert found("src/hello.py:1", "--mode", "related") == ["src/retry.py"]
    assert found("wait or say", "--kind", "class") == ["src/retry.py"]
    assert found("anything", "--symbol", "say_hello") == ["src/hello.py"]
    done = run("search", "hello", repo, "--budget", "3", code=2)
    assert "at least" in done.stderr
    done = run("search", "nowhere.py", repo, "--mode", "related", code=2)
    assert "not in the index" in done.stderr


def test_search_begins_with_a_map_if_asked(run, repo):
    done = run("search", "retry policy", repo, "--map")
    assert done.stdout.splitlines()[0].startswith("src/retry.py  RetryPolicy")
    assert not run("search", "retry policy", repo).stdout.startswith("src/retry.py  RetryPolicy,")
    done = run("search", "overview of the retry policy", repo)
    assert done.stdout.splitlines()[0].startswith("src/retry.py  RetryPolicy")


def test_search_all_refuses_what_only_code_knows(run, repo):
    done = run("search", "retry", repo, "--all", "--kind", "class", code=2)
    assert "--all asks every memory" in done.stderr


def test_search_all_asks_every_memory(run, repo):
    run("remember", "We retry with exponential waits", "--project", repo, "--kind", "decision")
    done = run("search", "why do we wait before a retry", repo, "--all", "--json")
    sections = {one["kind"]: one for one in json.loads(done.stdout)["sections"]}
    assert sections["code"]["results"][0]["path"] == "src/retry.py"
    assert sections["conversation"]["results"][0]["text"] == "We retry with exponential waits"
    assert sections["history"]["results"] == []
    assert sections["history"]["notice"]
    shown = run("search", "why do we wait before a retry", repo, "--all")
    assert shown.stdout.index("wait_before_retry") < shown.stdout.index("exponential waits")


def test_filters_and_modes(run, repo):
    (repo / "notes.md").write_text("# Hello\n\nHow we say hello.\n", encoding="utf-8")
    for arguments, expected in (
        (["--language", "markdown"], {"notes.md"}),
        (["--path", "src/*.py"], {"src/hello.py", "src/retry.py"}),
        (["--mode", "lexical"], {"src/hello.py", "notes.md"}),
    ):
        done = run("search", "say hello", repo, "--json", "-n", "20", *arguments)
        paths = {one["path"] for one in json.loads(done.stdout)["results"]}
        assert paths <= expected
        assert paths


def test_index_reports_and_only_embeds_what_changed(run, repo):
    first = json.loads(run("index", repo, "--json").stdout)
    second = json.loads(run("index", repo, "--json").stdout)
    assert (first["files_indexed"], second["files_indexed"]) == (2, 0)
    assert second["files_unchanged"] == 2
    rebuilt = json.loads(run("index", repo, "--json", "--rebuild").stdout)
    assert rebuilt["files_indexed"] == 2


def test_remember_recall_forget_across_processes(run):
    stored = json.loads(
        run("remember", "We chose JWT over sessions", "--kind", "decision", "--json").stdout
    )
    assert stored["new"]
    assert not json.loads(
        run("remember", "We chose JWT over sessions", "--kind", "decision", "--json").stdout
    )["new"]
    run("remember", "-", stdin="The build uses tox\n")
    found = json.loads(run("recall", "JWT or sessions?", "--json").stdout)["results"]
    assert found[0]["text"] == "We chose JWT over sessions"
    assert found[0]["kind"] == "decision"
    only = json.loads(run("recall", "JWT or sessions?", "--kind", "fact", "--json").stdout)[
        "results"
    ]
    assert {one["kind"] for one in only} <= {"fact"}
    dry = json.loads(run("forget", stored["memory"]["id"], "--dry-run", "--json").stdout)
    assert [one["id"] for one in dry["memories"]] == [stored["memory"]["id"]]
    run("forget", stored["memory"]["id"])
    found = json.loads(run("recall", "JWT or sessions?", "--json").stdout)["results"]
    assert "We chose JWT over sessions" not in {one["text"] for one in found}


def test_a_secret_is_not_stored(run):
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    done = run("remember", f"the token is {secret}", "--json")
    assert secret not in done.stdout
    assert secret not in run("recall", "token", "--json").stdout


def test_stores_shows_default_missing_and_experimental(run):
    stores = {one["name"]: one for one in json.loads(run("stores", "--json").stdout)["stores"]}
    assert stores["lancedb"]["default"]
    assert stores["lancedb"]["installed"]
    assert stores["proximadb"]["experimental"]
    assert stores["proximadb"]["pip_line"] == "pip install victor-memory[vector-experimental]"
    assert "lancedb" in run("stores").stdout


def test_status_shows_both_memories(run, repo):
    run("index", repo)
    document = json.loads(run("status", repo, "--json").stdout)
    assert document["codebase"]["records"] == 2
    assert document["conversation"]["records"] == 0
    assert "records in lancedb" in run("status", repo).stdout


def test_doctor_proves_the_stores_and_leaves_nothing(run, tmp_path):
    document = json.loads(run("doctor", "--json").stdout)
    assert document["healthy"]
    checks = {one["name"]: one for one in document["checks"]}
    assert checks["codebase round trip"]["ok"]
    assert "chosen by default" in checks["conversation store"]["detail"]
    assert not list((tmp_path / "embeddings").rglob("*.lance"))


def test_doctor_says_what_fell_back(run):
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('proximadb_embedded') is None)"
    if subprocess.run([sys.executable, "-c", code], check=False).returncode == 0:
        pytest.skip("proximadb_embedded is installed here, so nothing falls back")
    done = run("doctor", VICTOR_VECTOR_STORE="proximadb")
    assert "chosen by VICTOR_VECTOR_STORE" in done.stdout
    assert "ProximaDB is configured but not installed. Install with: " in done.stdout


def test_doctor_fails_when_something_is_wrong(run, tmp_path):
    (tmp_path / "blocked").write_text("a file where a directory should be", encoding="utf-8")
    done = run("doctor", code=1, VICTOR_EMBEDDINGS_DIR=str(tmp_path / "blocked" / "x"))
    assert "FAIL codebase round trip" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"),
    [
        (["search", ""], {}, 2, "query is empty"),
        (["search", "x", "no/such/dir"], {}, 2, "does not exist"),
        (["search", "x", "--limit", "0"], {}, 2, "limit is 0"),
        (["search", "x", "--limit", "-3"], {}, 2, "limit is -3"),
        (["search", "x", "--mode", "psychic"], {}, 2, "psychic"),
        (["recall", " "], {}, 2, "query is empty"),
        (["remember", " "], {}, 2, "nothing to remember"),
        (["remember", "x", "--kind", "rumour"], {}, 2, "rumour"),
        (["recall", "x", "--since", "yesterdayish"], {}, 2, "is not a date"),
        (["forget"], {}, 2, "forget"),
        (["status"], {"VICTOR_VECTOR_STORE": "lancdb"}, 1, "Did you mean 'lancedb'"),
        (["status"], {"VICTOR_DISTANCE_METRIC": "far"}, 2, "VICTOR_DISTANCE_METRIC='far'"),
        (["status"], {"VICTOR_LANCEDB_COMPACT_EVERY": "often"}, 2, "VICTOR_LANCEDB_COMPACT_EVERY"),
        (["status"], {"VICTOR_EMBEDDING_MODEL_TYPE": "statik"}, 1, "Did you mean 'static'"),
        (["search", "x"], {"VICTOR_EMBEDDING_MODEL_TYPE": "static", "VICTOR_EMBEDDING_MODEL_NAME": "./none"}, 1, "none"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_with_the_next_step(
    run, tmp_path, arguments, environment, code, message
):
    done = run(*arguments, code=code, **environment)
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_a_failure_in_json_is_json(run):
    done = run("status", "--json", code=1, VICTOR_VECTOR_STORE="lancdb")
    assert json.loads(done.stdout)["error"]["type"] == "UnknownProviderError"


def test_debug_shows_the_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "victor_memory", "status", "--debug"],
        capture_output=True, check=False, text=True, encoding="utf-8",
        env=environ(tmp_path, VICTOR_VECTOR_STORE="lancdb"), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_another_embedder_is_refused_with_the_way_out(run, repo):
    run("index", repo)
    other = {"VICTOR_EMBEDDING_MODEL_NAME": "hashing-128"}
    done = run("search", "hello", repo, code=1, **other)
    assert "VICTOR_EMBEDDING_MODEL_NAME=hashing-64" in done.stderr
    assert "index --rebuild" in done.stderr
    run("index", repo, "--rebuild", **other)
    assert "hello.py" in run("search", "hello", repo, **other).stdout


def test_another_store_is_refused_with_the_way_out(run, repo, tmp_path):
    run("index", repo)
    (manifest,) = (tmp_path / "embeddings").rglob("manifest.json")
    manifest.write_text(manifest.read_text().replace('"lancedb"', '"elsewhere"'), encoding="utf-8")
    done = run("search", "hello", repo, code=1)
    assert "VICTOR_VECTOR_STORE=elsewhere" in done.stderr
    run("index", repo, "--rebuild")
    assert "hello.py" in run("search", "hello", repo).stdout


def test_the_memory_store_says_that_nothing_is_kept(run):
    done = run("remember", "x", VICTOR_VECTOR_STORE="memory")
    assert "keeps nothing" in done.stderr


def test_each_memory_may_have_its_own_store(run, repo):
    document = json.loads(
        run("status", repo, "--json", VICTOR_CODEBASE_VECTOR_STORE="memory").stdout
    )
    assert document["codebase"]["provider"] == "memory"
    assert document["conversation"]["provider"] == "lancedb"


def test_interrupting_an_index_keeps_what_was_done(run, tmp_path):
    root = tmp_path / "large"
    root.mkdir()
    for number in range(3000):
        (root / f"module_{number}.py").write_text(RETRY * 20, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "index", str(root)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ(tmp_path), cwd=tmp_path,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list((tmp_path / "embeddings").rglob("*.lance")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    assert out == b""
    assert b"Traceback" not in err
    report = json.loads(run("index", root, "--json").stdout)
    assert report["files_indexed"] + report["files_unchanged"] == 3000
    again = json.loads(run("index", root, "--json").stdout)
    assert (again["files_indexed"], again["files_unchanged"]) == (0, 3000)


def test_version_and_help(run):
    assert run("--version").stdout.startswith("victor-memory ")
    for command in (
        "index",
        "search",
        "remember",
        "recall",
        "forget",
        "status",
        "stores",
        "doctor",
    ):
        assert command in run("--help").stdout
