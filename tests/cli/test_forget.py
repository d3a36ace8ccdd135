"""`forget` as a person and a script see it."""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def run(tmp_path):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VICTOR_")}
    environment = {
        **kept, "HOME": str(tmp_path), "VICTOR_EMBEDDINGS_DIR": str(tmp_path / "embeddings"),
        "VICTOR_EMBEDDING_MODEL_TYPE": "hashing", "VICTOR_VECTOR_STORE": "sqlite", "COLUMNS": "200",
    }  # fmt: skip
    (tmp_path / "code").mkdir()

    def execute(*arguments, code=0, **more):
        done = subprocess.run(
            [sys.executable, "-m", "victor_memory", *map(str, arguments)],
            capture_output=True, check=False, text=True, encoding="utf-8",
            env=environment | more,
            cwd=tmp_path / "code",
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return execute


def test_a_dry_run_shows_and_keeps_and_then_the_bytes_are_gone(run, tmp_path):
    run("remember", "The port is zquvixotrampel")
    run("remember", "Tests run with two workers")

    def files():
        found = (path for path in (tmp_path / "embeddings").rglob("*") if path.is_file())
        return [path.name for path in found if b"ixotrampel" in path.read_bytes()]

    shown = run("forget", "--query", "zquvixotrampel", "--dry-run")
    assert "The port is" in shown.stdout
    assert "1 would be forgotten." in shown.stderr
    assert files()
    gone = json.loads(run("forget", "--query", "zquvixotrampel", "--json").stdout)
    assert (gone["erased"], gone["dry_run"], len(gone["memories"])) == (True, False, 1)
    assert files() == []
    assert "two workers" in run("recall", "tests workers", "--min-score", "0").stdout


def test_what_a_forgotten_note_superseded_is_named(run):
    old = json.loads(run("remember", "The port is 8080", "--json").stdout)["memory"]["id"]
    new = json.loads(
        run("remember", "The port is 9090", "--supersedes", old, "--json").stdout
    )["memory"]["id"]  # fmt: skip
    assert (
        "1 that they had superseded would be current again"
        in run("forget", new, "--dry-run").stderr
    )
    gone = json.loads(run("forget", new, "--with-history", "--json").stdout)
    assert {one["id"] for one in gone["memories"]} == {old, new}
    assert gone["current_again"] == []


def test_what_the_settings_do_not_keep_goes_when_asked(run):
    for n in range(3):
        run("remember", f"note {n} {'abc'[n] * 7}", "--importance", f"0.{n + 3}")
    capped = {"VICTOR_MEMORY_MOST": "fact=1"}
    assert "2 would be forgotten." in run("forget", "--expired", "--dry-run", **capped).stderr
    gone = run("forget", "--expired", **capped)
    assert "2 forgotten." in gone.stderr
    assert "note 2" not in gone.stdout
    assert run("forget", "--expired").stderr.startswith("0 forgotten.")


def test_only_what_is_older_goes(run):
    run("remember", "The port is 8080")
    assert "0 would be forgotten." in run("forget", "--older-than", "1h", "--dry-run").stderr
    assert "1 would be forgotten." in run("forget", "--all", "--dry-run").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "say what to forget"),
        (("--older-than", "soon"), "'soon' is no time. Write it as 12h, 90d, 8w or 2y."),
        (("--older-than", "1d", "--before", "2026-01-01"), "Give one of them."),
        (("--expired", "--all"), "--expired means what the settings say."),
    ],
)
def test_what_is_not_clear_is_refused(run, arguments, message):
    assert message in run("forget", *arguments, code=2).stderr
