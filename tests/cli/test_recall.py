"""`recall`, `context` and `timeline` as a person and a script see them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from victor_memory.cli.app import app
from victor_memory.conversation.records import Turn
from victor_memory.runtime import open_runtime
from victor_memory.settings import MemorySettings

NOW = datetime.now(UTC)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Stand in a project of its own, with a memory of its own."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("VICTOR_EMBEDDINGS_DIR", str(tmp_path / "embeddings"))
    monkeypatch.setenv("VICTOR_EMBEDDING_MODEL_TYPE", "hashing")
    monkeypatch.setenv("VICTOR_VECTOR_STORE", "lancedb")
    monkeypatch.setenv("COLUMNS", "200")
    place = tmp_path / "code"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def run(*arguments, code=0):
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == code, done.output + done.stderr
    return done


def store(turns=(), notes=(), project="."):
    async def body():
        async with open_runtime(MemorySettings(), project=project) as memory:
            await memory.conversation.add_turns(turns)
            for note in notes:
                await memory.conversation.remember(**note)

    asyncio.run(body())


def results(done):
    return json.loads(done.stdout)["results"]


def test_recall_says_who_when_where_and_why(here):
    store(
        [Turn("which header colour?", "s1", "user", 0), Turn("the header is teal", "s1", "user", 1),
         Turn("thanks", "s1", "user", 2)]
    )  # fmt: skip
    told = run("recall", "header teal", "--why", "-n", 1).stdout
    assert "turn user" in told
    assert "session s1" in told
    assert "lexical=" in told
    assert "words: header teal" in told
    assert "beside: turn user  which header colour?" in told
    assert "the header is teal" in told
    (one,) = results(run("recall", "header teal", "-n", 1, "--json"))
    assert [beside["text"] for beside in one["context"]] == ["which header colour?", "thanks"]
    assert sum(one["why"].values()) == pytest.approx(one["score"])


def test_recall_keeps_quiet_about_noise_unless_told_to(here):
    store(notes=[{"text": "The header is teal"}])
    done = run("recall", "medieval falconry")
    assert done.stdout == ""
    assert "Nothing relevant" in done.stderr
    assert len(results(run("recall", "medieval falconry", "--min-score", 0, "--json"))) == 1


def test_recall_restricts_and_shows_what_was_superseded(here):
    store(
        [Turn("the port is open", "s", "user", 0, created_at=NOW - timedelta(days=9))],
        [{"text": "The API port is 8080"}, {"text": "The API port is 9090"}],
    )
    assert [
        one["text"] for one in results(run("recall", "API port", "--kinds", "fact", "--json"))
    ] == ["The API port is 9090"]
    both = run("recall", "API port", "--include-superseded", "--min-score", 0).stdout
    assert "superseded by" in both
    assert "8080" in both
    since = (NOW - timedelta(days=2)).date().isoformat()
    found = results(run("recall", "port", "--since", since, "--min-score", 0, "--json"))
    assert "the port is open" not in [one["text"] for one in found]
    found = results(run("recall", "port", "--session", "s", "--min-score", 0, "--json"))
    assert [one["text"] for one in found] == ["the port is open"]
    short = results(run("recall", "port", "--budget", 4, "--min-score", 0, "--json"))
    assert [one["text"] for one in short] == ["the port is open"]


def test_recall_of_all_projects_names_them(here, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    store(notes=[{"text": "The zebra is ours"}])
    store(notes=[{"text": "The zebra is theirs"}], project=other)
    assert "theirs" not in run("recall", "zebra").stdout
    told = run("recall", "zebra", "--all-projects").stdout
    assert "theirs" in told
    assert "ours" in told
    assert "project other-" in told


def test_context_tells_a_session_once(here):
    store(notes=[{"text": "The header is teal", "kind": "decision"}])
    told = run("context", "header teal", "--session", "s", "--no-code").stdout
    assert told.startswith("<recalled-memory>")
    assert "The header is teal" in told
    again = run("context", "header teal", "--session", "s", "--no-code")
    assert again.stdout == ""
    assert "Nothing new" in again.stderr
    run("context", "--session", "s", "--end")
    values = json.loads(
        run("context", "header teal", "--session", "s", "--no-code", "--json").stdout
    )
    assert [one["kind"] for one in values["items"]] == ["conversation"]
    assert values["tokens"] > 0


def test_context_without_a_query_is_for_a_new_session(here):
    assert "Nothing relevant" in run("context").stderr
    store(notes=[{"text": "I like tabs", "kind": "preference"}])
    assert "I like tabs" in run("context").stdout


def test_a_timeline_is_by_day_oldest_first(here):
    store(
        [
            Turn(f"said {n}", "s", "user", n, created_at=NOW - timedelta(days=5 - n))
            for n in range(5)
        ]
    )
    lines = run("timeline", "-n", 2).stdout.splitlines()
    assert [line.split("  ")[-1] for line in lines if line.startswith("  ")] == ["said 3", "said 4"]
    assert len([line for line in lines if not line.startswith("  ")]) == 2
    first = run("timeline", "--session", "s", "-n", 1).stdout
    assert "said 0" in first
    assert "Nothing is remembered" in run("timeline", "--session", "t").stderr


def test_what_cannot_be_meant_is_a_usage_error(here):
    assert "tokens" in run("context", "x", "--budget", 1, code=2).stderr
    run("context", "--end", code=2)
