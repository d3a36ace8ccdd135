"""`history` as a person and a script see it."""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def environment(tmp_path):
    kept = {one: value for one, value in os.environ.items() if one[:4] not in {"VICT", "GIT_"}}
    return {
        **kept, "HOME": str(tmp_path), "VICTOR_EMBEDDINGS_DIR": str(tmp_path / "embeddings"),
        "VICTOR_EMBEDDING_MODEL_TYPE": "hashing", "COLUMNS": "200",
        "GIT_CEILING_DIRECTORIES": str(tmp_path),
    }  # fmt: skip


@pytest.fixture
def repo(tmp_path, environment):
    root = tmp_path / "repo"
    root.mkdir()

    def git(*arguments, date="2024-01-02T12:00:00+00:00"):
        subprocess.run(
            ["git", "-c", "user.name=Ada Lovelace", "-c", "user.email=a@x", *arguments],
            cwd=root, check=True, capture_output=True,
            env={**environment, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
        )  # fmt: skip

    git("init", "-q")
    (root / "retry.py").write_text("LIMIT = 5\n", encoding="utf-8")
    git("add", "-A")
    git("commit", "-q", "-m", "Raise the [retry] limit\n\nThe gateway drops connections.")
    (root / "README.md").write_text("hello\n", encoding="utf-8")
    git("add", "-A")
    git("commit", "-q", "-m", "Write a readme", date="2024-03-02T12:00:00+00:00")
    return root


@pytest.fixture
def run(tmp_path, environment):
    def execute(*arguments, code=0, **more):
        done = subprocess.run(
            [sys.executable, "-m", "victor_memory", "history", *map(str, arguments)],
            capture_output=True, check=False, text=True, encoding="utf-8", cwd=tmp_path,
            env={**environment, **more},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return execute


def test_a_person_sees_the_commit(run, repo):
    shown = run("why was the retry limit raised", repo, "-n", "1", "--why").stdout
    first, parts, subject, body, files = shown.strip().split("\n")
    assert first.split("  ")[1:3] == ["2024-01-02", "Ada Lovelace"]
    assert "lexical=" in parts
    assert subject == "  Raise the [retry] limit"
    assert body == "    The gateway drops connections."
    assert files == "  retry.py"


def test_json_has_the_documented_fields(run, repo):
    document = json.loads(run("why was the retry limit raised", repo, "--json").stdout)
    assert document["schema"] == "victor-memory.history/1"
    assert document["notices"] == []
    best = document["results"][0]
    assert best.keys() == {
        "sha", "short", "date", "author", "subject", "excerpt", "files", "file_count", "parents",
        "score", "parts",
    }  # fmt: skip
    assert best["files"] == ["retry.py"]


def test_filters(run, repo):
    def subjects(*arguments):
        results = json.loads(run("retry readme", repo, "--json", *arguments).stdout)["results"]
        return {one["subject"] for one in results}

    assert subjects("--path", "*.md") == {"Write a readme"}
    assert subjects("--since", "2024-02-01") == {"Write a readme"}
    assert subjects("--until", "2024-02-01") == {"Raise the [retry] limit"}
    assert subjects("--author", "grace") == set()
    assert len(subjects("--author", "lovelace")) == 2


def test_failures_name_the_next_step(run, tmp_path, repo):
    (tmp_path / "plain").mkdir()
    assert "no git repository" in run("x", tmp_path / "plain", code=2).stderr
    failed = json.loads(run("x", repo, "--since", "soon", "--json", code=2).stdout)
    assert failed["error"]["type"] == "InvalidRequestError"
    assert "2026-01-31" in failed["error"]["message"]


def test_only_so_many_commits_are_searched_and_that_is_said(run, repo):
    done = run("readme", repo, VICTOR_HISTORY_COMMITS="1")
    assert "Write a readme" in done.stdout
    assert "Only the newest 1 commits are searched" in done.stderr
