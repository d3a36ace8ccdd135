"""`remember`, `show` and `sessions` as a person and a script see them."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from victor_memory.conversation.records import Turn
from victor_memory.runtime import open_runtime
from victor_memory.settings import MemorySettings


@pytest.fixture
def run(tmp_path):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VICTOR_")}
    environment = {
        **kept, "HOME": str(tmp_path), "VICTOR_EMBEDDINGS_DIR": str(tmp_path / "embeddings"),
        "VICTOR_EMBEDDING_MODEL_TYPE": "hashing", "COLUMNS": "200",
    }  # fmt: skip
    (tmp_path / "code").mkdir()

    def execute(*arguments, code=0, where="code", **more):
        place = tmp_path / where
        place.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "victor_memory", *map(str, arguments)],
            capture_output=True, check=False, text=True, encoding="utf-8",
            env=environment | more,
            cwd=place,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return execute


def values(done):
    return json.loads(done.stdout)


def test_a_changed_fact_is_shown_with_its_history(run):
    old = values(run("remember", "The API port is 8080", "--json"))["memory"]["id"]
    done = run("remember", "The API port is 9090")
    assert f"supersedes  {old}" in done.stdout
    new = values(run("remember", "The API port is 9090", "--json"))
    assert (new["new"], new["memory"]["supersedes"]) == (False, [old])
    shown = values(run("show", old, "--json"))
    assert [one["id"] for one in shown["newer"]] == [new["memory"]["id"]]
    assert (shown["memory"]["text"], shown["older"], shown["stale"]) == (
        "The API port is 8080", [], [],
    )  # fmt: skip
    text = run("show", old).stdout
    assert f"fact  {old}  superseded" in text
    assert f"superseded by  {new['memory']['id']}" in text
    assert f"supersedes  {old}" in run("show", new["memory"]["id"]).stdout


def test_what_is_similar_is_named_and_can_be_superseded(run):
    old = values(run("remember", "Builds run every night at the office", "--json"))["memory"]["id"]
    done = run("remember", "Builds run every night at the office and at noon")
    assert f"similar to  {old}" in done.stdout
    assert "--supersedes ID" in done.stderr
    new = values(run("remember", "GitHub builds everything", "--supersedes", old, "--json"))
    assert [one["id"] for one in new["superseded"]] == [old]
    refused = run("remember", "Something", "--supersedes", "unknown", code=2)
    assert "is not remembered here" in refused.stderr


def test_a_note_on_a_file_that_changed_is_shown_as_stale(run, tmp_path):
    file = tmp_path / "code" / "auth.py"
    file.write_text("check = 1\n", encoding="utf-8")
    note = values(run("remember", "Auth is here", "--file", "auth.py", "--json"))["memory"]
    assert "current" in run("show", note["id"]).stdout
    file.write_text("check = 2\n", encoding="utf-8")
    shown = run("show", note["id"]).stdout
    assert f"fact  {note['id']}  stale" in shown
    assert "auth.py has changed" in shown
    assert "cannot be linked" in run("remember", "x", "--file", "none.py", code=2).stderr


def test_what_the_user_wants_everywhere_is_shown_in_each_project(run):
    note = values(
        run("remember", "Answer in German", "--scope", "user", "--kind", "preference", "--json")
    )["memory"]["id"]
    assert "Answer in German" in run("show", note, where="other").stdout
    here = values(run("remember", "Answer in German", "--kind", "preference", "--json"))
    assert here["new"]
    assert "no memory" in run("show", here["memory"]["id"], code=2, where="other").stderr


def test_a_private_note_needs_its_session(run):
    assert "Give session=NAME" in run("remember", "x", "--scope", "session", code=2).stderr
    run("remember", "x", "--scope", "session", "--session", "s")


def test_sessions_are_listed_the_newest_first(run, tmp_path):
    assert "No session" in run("sessions").stderr

    async def talk():
        settings = MemorySettings(
            embeddings_dir=tmp_path / "embeddings", embedding_model_type="hashing"
        )
        async with open_runtime(settings, project=tmp_path / "code") as memory:
            await memory.conversation.add_turns(
                [Turn("one", "first"), Turn("two", "first"), Turn("word " * 2000, "second")]
            )

    asyncio.run(talk())
    listed = values(run("sessions", "--json"))
    assert [(one["id"], one["turns"]) for one in listed["sessions"]] == [
        ("second", 1), ("first", 2),
    ]  # fmt: skip
    assert listed["total"] == 2
    done = run("sessions", "--limit", 1)
    assert "second  1 turn" in done.stdout
    assert "first" not in done.stdout
    assert "1 older" in done.stderr


def test_an_unknown_id_is_an_error_that_says_how_to_find_one(run):
    assert "recall" in run("show", "unknown", code=2).stderr


def test_memories_of_another_model_are_embedded_anew(run):
    note = values(run("remember", "The API port is 8080", "--json"))["memory"]["id"]
    other = {"VICTOR_EMBEDDING_MODEL_NAME": "hashing-128"}
    assert "victor-memory rebuild" in run("show", note, code=1, **other).stderr
    done = values(run("rebuild", "--json", **other))
    assert [one["records"] for one in done["rebuilt"]] == [1]
    assert "The API port is 8080" in run("show", note, **other).stdout
    assert "already" in run("rebuild", **other).stderr
