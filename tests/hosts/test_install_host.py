"""`victor-memory install-host`, as a person runs it."""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def run(tmp_path):
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()

    def execute(*arguments, code=0, said=None, cwd=project, **environment):
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("VICTOR_", "XDG_", "CLAUDE_", "CODEX_"))
        }
        done = subprocess.run(
            [sys.executable, "-m", "victor_memory", *map(str, arguments)],
            capture_output=True, check=False, text=True, encoding="utf-8", cwd=cwd, input=said,
            env={**kept, "HOME": str(home), "USERPROFILE": str(home), "VICTOR_EMBEDDING_MODEL_TYPE": "hashing", **environment},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done

    execute.home, execute.project = home, project
    return execute


def test_a_dry_run_shows_the_difference_and_changes_nothing(run):
    (run.home / ".cursor").mkdir()
    file = run.home / ".cursor" / "mcp.json"
    file.write_text('{\n  "mcpServers": {}\n}\n', encoding="utf-8")
    done = run("install-host", "cursor", "--dry-run")
    assert '+    "victor-memory": {' in done.stdout
    assert "would be added to" in done.stderr
    assert file.read_text(encoding="utf-8") == '{\n  "mcpServers": {}\n}\n'
    told = json.loads(run("install-host", "cursor", "--dry-run", "--json").stdout)
    assert told["schema"] == "victor-memory.install-host/1"
    assert told["changes"][0]["action"] == "add"
    assert told["changes"][0]["diff"] == done.stdout


def test_a_project_is_set_up_listed_and_undone(run):
    subprocess.run(["git", "init", "-q", str(run.project)], check=True)
    inner = run.project / "src"
    inner.mkdir()
    done = run(
        "install-host",
        "claude-code",
        "--project",
        "--hooks",
        cwd=inner,
        VICTOR_EMBEDDING_API_KEY="k",
    )
    assert "--portable" in done.stderr
    assert "VICTOR_EMBEDDING_API_KEY" in done.stderr
    assert "not found on this machine" in done.stderr
    server = json.loads((run.project / ".mcp.json").read_text(encoding="utf-8"))["mcpServers"][
        "victor-memory"
    ]
    assert server["env"] == {"VICTOR_EMBEDDING_MODEL_TYPE": "hashing"}
    assert (run.project / ".claude" / "settings.json").exists()
    listed = {
        one["name"]: one
        for one in json.loads(run("install-host", "--list", "--json").stdout)["hosts"]
    }
    assert listed["claude-code"]["installed"] == ["project"]
    assert listed["claude-code"]["hooks"] == ["project"]
    assert not listed["cursor"]["installed"]
    assert not listed["victor"]["installed"]
    assert "claude-code" in run("install-host", "--list").stdout
    run("install-host", "claude-code", "--uninstall")
    assert [one.name for one in run.project.iterdir() if one.name != ".git"] == ["src"]
    assert "was not set up" in run("install-host", "claude-code", "--undo").stderr


def test_portable_is_the_bare_name(run):
    run("install-host", "vscode", "--project", "--portable")
    servers = json.loads((run.project / ".vscode" / "mcp.json").read_text(encoding="utf-8"))[
        "servers"
    ]
    assert servers["victor-memory"]["command"] == "victor-memory"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["curser"], "Did you mean 'cursor'"), ([], "--list"), (["cursor", "--hooks"], "Leave --hooks out"),
        (["windsurf", "--project"], "Use --user"), (["cursor", "--code-search"], "`victor` alone"),
        (["victor", "--project"], "Leave these options out"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(run, arguments, said):
    assert said in run("install-host", *arguments, code=2).stderr


def test_a_broken_file_is_named_by_the_doctor_and_refused(run):
    (run.home / ".cursor").mkdir()
    file = run.home / ".cursor" / "mcp.json"
    file.write_text("{broken", encoding="utf-8")
    assert f"{file}: not valid JSON at line 1" in run("install-host", "cursor", code=1).stderr
    assert file.read_text(encoding="utf-8") == "{broken"
    checks = {one["name"]: one for one in json.loads(run("doctor", "--json").stdout)["checks"]}
    assert str(file) in checks["agent Cursor"]["detail"]


def test_the_server_that_is_written_down_answers(run):
    run("install-host", "cursor")
    entry = json.loads((run.home / ".cursor" / "mcp.json").read_text(encoding="utf-8"))[
        "mcpServers"
    ]["victor-memory"]
    asked = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
    }  # fmt: skip
    done = subprocess.run(
        [entry["command"], *entry["args"]], input=json.dumps(asked) + "\n", capture_output=True, text=True,
        encoding="utf-8", check=False, cwd=run.project, timeout=120, env={**os.environ, "HOME": str(run.home), **entry["env"]},
    )  # fmt: skip
    assert (
        json.loads(done.stdout.splitlines()[0])["result"]["serverInfo"]["name"] == "victor-memory"
    ), done.stderr
