"""`import`, `export` and `capture` as a person and a script see them."""

import json
import os
import signal
import subprocess
import sys

import pytest
from transcripts import claude, lines, write


@pytest.fixture
def run(tmp_path, home):
    def execute(*arguments, code=0, cwd=tmp_path, stdin=None):
        done = subprocess.run(
            [sys.executable, "-m", "victor_memory", *map(str, arguments)],
            capture_output=True, check=False, text=True, encoding="utf-8", cwd=cwd, env=environ(tmp_path), input=stdin,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return execute


def environ(directory):
    return {
        **os.environ, "VICTOR_EMBEDDINGS_DIR": str(directory / "embeddings"),
        "VICTOR_EMBEDDING_MODEL_TYPE": "hashing", "COLUMNS": "200",
    }  # fmt: skip


def test_import_recall_export_and_import_again(run, repository, home, tmp_path):
    one, two = repository("one"), repository("two")
    at = home / ".claude" / "projects"
    write(
        at / "-one" / "s1.jsonl",
        lines(claude(0, "user", "The staging port is 7001", cwd=one)) + "{broken\n",
    )
    write(
        at / "-two" / "s2.jsonl",
        lines(claude(0, "user", "The other port is 7002", cwd=two, session="s2")),
    )
    done = run("import", cwd=one)
    assert done.stdout.startswith("1 remembered, 0 known already, from 2 sources")
    assert "s1.jsonl:2: not JSON" in done.stderr
    assert "Import it into them with --all-projects" in done.stderr
    assert "7001" in run("recall", "staging port", cwd=one).stdout
    assert "7002" not in run("recall", "other port", cwd=one).stdout
    document = json.loads(run("import", "--json", cwd=one).stdout)
    assert document["schema"] == "victor-memory.import/1"
    assert (document["new"], document["known"], document["unchanged"]) == (0, 0, 2)
    assert run("import", "--from", "codex", "--quiet", cwd=one).stdout == ""

    exported = tmp_path / "all.jsonl"
    run("export", exported, cwd=one)
    assert exported.stat().st_mode & 0o077 == 0
    assert run("export", cwd=one).stdout == exported.read_text(encoding="utf-8")
    assert "# Memory of one-" in run("export", "--format", "markdown", "-", cwd=one).stdout
    assert "0 remembered, 1 known" in run("import", exported, cwd=one).stdout
    assert "0 remembered, 0 known" in run("import", exported, cwd=two).stdout
    assert "1 remembered" in run("import", exported, "--project", two).stdout


def test_what_the_user_has_in_all_projects_is_exported_apart(run, repository, tmp_path):
    one, two = repository("one"), repository("two")
    run("remember", "Answer in French", "--kind", "preference", "--scope", "user", cwd=one)
    run("remember", "Use tabs", cwd=one)
    everywhere, here = run("export", "--user", cwd=two).stdout, run("export", cwd=one).stdout
    assert ("French" in everywhere, "tabs" in everywhere) == (True, False)
    assert ("French" in here, "tabs" in here) == (False, True)
    path = write(tmp_path / "user.jsonl", everywhere)
    assert "0 remembered, 1 known" in run("import", path, cwd=two).stdout
    changed = write(tmp_path / "changed.jsonl", everywhere.replace("French", "Danish"))
    assert "1 remembered" in run("import", changed, cwd=two).stdout
    assert "Danish" in run("export", "--user", cwd=one).stdout


def test_capture_and_import(run, repository):
    one = repository("one")
    event = {"text": "We deploy on Fridays", "session": "s", "role": "user"}
    assert run("capture", stdin=json.dumps(event), cwd=one).stdout == ""
    assert "1 remembered" in run("import", cwd=one).stdout
    assert "Fridays" in run("recall", "when do we deploy", cwd=one).stdout
    assert "read from stdin" in run("capture", "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["import", "missing.jsonl"], "Name a transcript"),
        (["import", "--format", "word"], "Use one of: victor"),
        (["import", "--watch", "--json"], "Leave one out"),
        (["export", "--format", "html"], "Use one of: jsonl"),
    ],
)
def test_what_cannot_be_done_names_the_next_step(run, arguments, advice):
    assert advice in run(*arguments, code=2).stderr


def test_an_export_that_cannot_be_written_leaves_nothing(run, tmp_path):
    assert "cannot be written" in run("export", tmp_path / "no" / "where.jsonl", code=1).stderr
    assert not list(tmp_path.glob("**/*.jsonl"))


def test_watch_goes_on_until_it_is_told_to_stop(repository, home, tmp_path):
    one = repository("one")
    path = write(
        home / ".claude/projects/-one/s1.jsonl", lines(claude(0, "user", "before", cwd=one))
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "victor_memory", "import", "--watch"],
        cwd=one, env=environ(tmp_path), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    try:
        assert "Watching" in process.stderr.readline()
        assert "1 remembered" in process.stderr.readline()
        with path.open("a", encoding="utf-8") as stream:
            stream.write(lines(claude(1, "user", "after", cwd=one)))
        assert "1 remembered" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "Stopped: 2 remembered, 0 problems." in rest
