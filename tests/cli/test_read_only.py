"""A directory in which nothing can be written: what is there is still found, the rest is said."""

import ctypes
import json
import os
import subprocess
import sys

import pytest

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE = 1


def obey_permissions():
    """Let the new process obey file permissions even when it runs as root."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.fixture
def run(tmp_path):
    def execute(*arguments, code=0):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("VICTOR_")}
        done = subprocess.run(
            [sys.executable, "-m", "victor_memory", *map(str, arguments)],
            capture_output=True, check=False, text=True, encoding="utf-8", cwd=tmp_path,
            preexec_fn=obey_permissions,
            env={
                **kept, "HOME": str(tmp_path), "VICTOR_EMBEDDING_MODEL_TYPE": "hashing",
                "VICTOR_EMBEDDINGS_DIR": str(tmp_path / "embeddings"),
            },
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return execute


@pytest.fixture
def read_only(tmp_path, run):
    code = tmp_path / "code"
    code.mkdir()
    (code / "hello.py").write_text("def say_hello():\n    return 'hello'\n", encoding="utf-8")
    run("index", code)
    run("remember", "We say hello in English", "--project", code)
    places = [tmp_path / "embeddings", *(tmp_path / "embeddings").rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    yield code
    for place in places:
        place.chmod(0o755 if place.is_dir() else 0o644)


def test_what_is_stored_is_found(run, read_only):
    hits = json.loads(run("search", "say hello", read_only, "--json").stdout)["results"]
    assert hits[0]["path"] == "hello.py"
    found = json.loads(run("recall", "say hello", "--project", read_only, "--json").stdout)[
        "results"
    ]
    assert found[0]["text"] == "We say hello in English"


def test_an_index_that_is_up_to_date_need_not_be_written(run, read_only):
    assert "0 files indexed, 1 unchanged" in run("index", read_only).stdout
    assert "brought up to date" not in run("search", "say hello", read_only).stderr


def test_a_search_answers_from_an_index_that_cannot_be_brought_up_to_date(run, read_only):
    (read_only / "more.py").write_text("def more():\n    pass\n", encoding="utf-8")
    done = run("search", "say hello", read_only, "--json")
    assert json.loads(done.stdout)["results"][0]["path"] == "hello.py"
    assert "could not be brought up to date" in done.stderr


@pytest.mark.parametrize("changed", [True, False])
def test_what_cannot_be_written_is_said_with_the_next_step(run, read_only, changed):
    if changed:
        (read_only / "more.py").write_text("def more():\n    pass\n", encoding="utf-8")
        done = run("index", read_only, code=1)
    else:
        done = run("remember", "something new", "--project", read_only, code=1)
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: The index in" if changed else "error: LanceDB: upsert failed")
    assert "change its permissions or set VICTOR_EMBEDDINGS_DIR" in line
    assert done.stdout == ""
