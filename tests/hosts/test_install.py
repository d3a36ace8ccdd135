"""Settings files of agents: what install-host writes, keeps, and puts back."""

import codecs
import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path, PureWindowsPath

import pytest
from ruamel.yaml import YAML

from victor_memory.errors import HostError, InvalidRequestError
from victor_memory.hosts.setup import files, install
from victor_memory.hosts.setup.checks import checks, state
from victor_memory.hosts.setup.hosts import HOSTS, SERVER, host
from victor_memory.hosts.setup.launch import Launch, launch
from victor_memory.hosts.setup.paths import Machine

LAUNCH = Launch(("/opt/victor memory/bin/victor-memory",), {"VICTOR_VECTOR_STORE": "sqlite"})
BY_SCOPE = [(one, scope) for one in HOSTS for scope in one.scopes]
FILLED = {
    "json": '{\n  "theme": "dark",\n  "%s": {\n    "other": {"command": "x"}\n  }\n}\n',
    "jsonc": '// mine\n{\n  "theme": "dark", // or light\n  "%s": {\n    "other": {"command": "x"},\n  },\n}\n',
    "toml": 'model = "m" # fast\n\n[%s.other]\ncommand = "x"\n',
    "yaml": "# mine\nmodel: m # fast\n%s:\n  other:\n    command: x\n",
}


@pytest.fixture
def machine(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "project").mkdir()
    return Machine(tmp_path / "project", tmp_path / "home", "linux", {"PATH": ""})


def put(machine, one, scope, *, hooks=False, how=LAUNCH):
    changes = [
        install.install(target) for target in install.targets(one, scope, machine, how, hooks=hooks)
    ]
    install.apply(changes)
    return changes


def undo(machine, one, scopes=None):
    changes = list(install.uninstall_all(one, scopes or one.scopes, machine, LAUNCH))
    install.apply(changes)
    return [change.action for change in changes]


def tree(root):
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def read(path, form):
    text = path.read_text(encoding="utf-8")
    if form == "toml":
        return tomllib.loads(text)
    if form == "yaml":
        return YAML(typ="safe").load(text)
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", re.sub(r"//[^\n]*", "", text)))


def entry(document, settings):
    for step in settings.at:
        document = document[step]
    if settings.listed:
        (found,) = [one for one in document if isinstance(one, dict) and one.get("name") == SERVER]
        return found
    return document[SERVER]


@pytest.mark.parametrize(
    ("one", "scope"), BY_SCOPE, ids=lambda value: getattr(value, "name", value)
)
def test_a_new_file_is_made_and_taken_away(machine, one, scope):
    (change,) = put(machine, one, scope)
    settings = one.settings(scope)
    assert change.action == "create"
    found = entry(read(change.path, settings.form), settings)
    command = found.get("command") or found["cmd"]
    line = command if isinstance(command, list) else [command, *found["args"]]
    assert line == ["/opt/victor memory/bin/victor-memory", "mcp"]
    variables = [found[name] for name in ("env", "envs", "environment") if name in found]
    assert variables == [{"VICTOR_VECTOR_STORE": "sqlite"}]
    assert not any(isinstance(value, str) and value.startswith("$") for value in found.values())
    assert put(machine, one, scope)[0].action == "keep"
    assert undo(machine, one, [scope])[0] == "delete"
    assert tree(machine.home) == tree(machine.project) == {}


@pytest.mark.parametrize(
    ("one", "scope"), BY_SCOPE, ids=lambda value: getattr(value, "name", value)
)
def test_what_was_there_stays_and_comes_back(machine, one, scope):
    settings = one.settings(scope)
    path = machine.file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = (
        "mcpServers:\n- name: other # c\n  command: x\n"
        if settings.listed
        else FILLED[settings.form] % settings.at[0]
    )
    raw = codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode()
    path.write_bytes(raw)
    path.chmod(0o640)
    (change,) = put(machine, one, scope)
    assert change.action == "add"
    after = path.read_bytes()
    assert after.startswith(codecs.BOM_UTF8)
    assert b"\n" not in after.replace(b"\r\n", b"")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    kept = path.with_name(path.name + files.BACKUP)
    assert kept.read_bytes() == raw
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640
    assert undo(machine, one, [scope])[0] == "restore"
    assert path.read_bytes() == raw
    assert not kept.exists()


@pytest.mark.parametrize("form", FILLED)
def test_only_our_entry_goes_where_the_file_has_changed_since(machine, form):
    one = next(one for one in HOSTS if one.user and one.user.form == form and not one.user.listed)
    path = machine.file(one.user)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = FILLED[form] % one.user.at[0]
    path.write_text(text, encoding="utf-8")
    put(machine, one, "user")
    path.write_text(
        path.read_text(encoding="utf-8").replace("command", "COMMAND", 1), encoding="utf-8"
    )
    assert undo(machine, one, ["user"])[0] == "remove"
    assert path.read_text(encoding="utf-8") == text.replace("command", "COMMAND", 1)


def test_an_update_keeps_the_backup_of_before(machine):
    one, path = host("cursor"), machine.home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    path.write_text('{"mcpServers": {}}', encoding="utf-8")
    put(machine, one, "user")
    (change,) = put(machine, one, "user", how=Launch(("victor-memory",), {}))
    assert change.action == "update"
    assert json.loads(path.read_text())["mcpServers"][SERVER]["command"] == "victor-memory"
    assert undo(machine, one) == ["restore", "keep"]
    assert path.read_text(encoding="utf-8") == '{"mcpServers": {}}'


def test_an_entry_that_was_there_before_us_is_replaced_and_goes(machine):
    one, path = host("cursor"), machine.home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"mcpServers": {SERVER: {"command": "old"}}}), encoding="utf-8")
    put(machine, one, "user")
    assert undo(machine, one) == ["remove", "keep"]
    assert json.loads(path.read_text()) == {"mcpServers": {}}
    assert "old" in path.with_name("mcp.json" + files.BACKUP).read_text()


def test_no_settings_are_no_variables(machine):
    for name in ("cursor", "opencode", "goose", "codex"):
        one = host(name)
        (change,) = put(machine, one, "user", how=Launch(("victor-memory",), {}))
        assert not {"env", "envs", "environment"} & set(
            entry(read(change.path, one.user.form), one.user)
        )


def test_a_link_stays_a_link(machine):
    one, real = host("cursor"), machine.home / "dotfiles" / "cursor.json"
    real.parent.mkdir()
    real.write_text("{}", encoding="utf-8")
    (machine.home / ".cursor").mkdir()
    link = machine.home / ".cursor" / "mcp.json"
    link.symlink_to(real)
    put(machine, one, "user")
    assert link.is_symlink()
    assert SERVER in real.read_text(encoding="utf-8")
    undo(machine, one)
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cursor", b"{not json"), ("claude-code", b'{"a": 1} // c'), ("codex", b"= 1"), ("goose", b"a: [\n"), ("cursor", b"\xff\xfe{\x00}\x00"),
        ("cursor", b'{"mcpServers": [1]}'), ("codex", b"mcp_servers = 3\n"), ("goose", b"- 1\n"), ("continue", b"mcpServers: {a: 1}\n"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused_and_unchanged(machine, name, content):
    one = host(name)
    path = machine.file(one.user)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    before = tree(machine.home)
    with pytest.raises(HostError, match=re.escape(str(path))):
        put(machine, one, "user")
    assert tree(machine.home) == before
    if name == "cursor" and not content.startswith(b'{"'):
        assert state(one, machine).problems
        (check,) = checks(machine)
        assert (check.ok, str(path) in check.detail) == (None, True)


def test_two_files_are_both_or_neither_read_before_one_is_written(machine):
    one, path = host("claude-code"), machine.home / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_text("{", encoding="utf-8")
    with pytest.raises(HostError):
        put(machine, one, "user", hooks=True)
    assert set(tree(machine.home)) == {".claude/settings.json"}


def test_a_file_that_another_program_writes_meanwhile_is_left_alone(machine):
    one, path = host("cursor"), machine.home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    path.write_text("{}", encoding="utf-8")
    changes = [
        install.install(target)
        for target in install.targets(one, "user", machine, LAUNCH, hooks=False)
    ]
    path.write_text('{"theirs": 1}', encoding="utf-8")
    with pytest.raises(HostError, match="another program"):
        install.apply(changes)
    assert path.read_text(encoding="utf-8") == '{"theirs": 1}'
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "mcp.json",
        "mcp.json" + files.BACKUP,
    ]


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="needs a directory that cannot be written"
)
def test_a_directory_that_cannot_be_written_is_an_error(machine):
    (machine.home / ".cursor").mkdir(mode=0o500)
    with pytest.raises(HostError, match="cannot be written"):
        put(machine, host("cursor"), "user")


def test_hooks_are_added_beside_others_and_go_alone(machine):
    one, path = host("claude-code"), machine.home / ".claude" / "settings.json"
    path.parent.mkdir()
    mine = {
        "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}]},
        "model": "x",
    }
    text = json.dumps(mine, indent=4)
    path.write_text(text, encoding="utf-8")
    assert [change.action for change in put(machine, one, "user", hooks=True)] == ["create", "add"]
    hooks = json.loads(path.read_text(encoding="utf-8"))["hooks"]
    assert set(hooks) == {"SessionStart", "Stop", "PreCompact", "SessionEnd"}
    assert hooks["Stop"][0] == mine["hooks"]["Stop"][0]
    (ours,) = hooks["Stop"][1]["hooks"]
    assert (
        ours["command"]
        == "env VICTOR_VECTOR_STORE=sqlite '/opt/victor memory/bin/victor-memory' capture"
    )
    assert ours["timeout"] <= 10
    assert hooks["SessionStart"][0]["hooks"][0]["command"].endswith("' hook session-start")
    assert [change.action for change in put(machine, one, "user", hooks=True)] == ["keep", "keep"]
    assert [
        change.action
        for change in put(
            machine, one, "user", hooks=True, how=Launch(("vm-is/victor-memory",), {})
        )
    ] == ["update", "update"]
    assert len(json.loads(path.read_text(encoding="utf-8"))["hooks"]["Stop"]) == 2
    assert state(one, machine).hooks == ("user",)
    path.write_text(path.read_text(encoding="utf-8").replace('"x"', '"y"'), encoding="utf-8")
    assert undo(machine, one, ["user"]) == ["delete", "remove"]
    left = json.loads(path.read_text(encoding="utf-8"))
    assert {key: value for key, value in left["hooks"].items() if value} == mine["hooks"]
    assert left["model"] == "y"


def test_a_hook_that_shares_our_entry_is_never_lost(machine):
    one, path = host("claude-code"), machine.home / ".claude" / "settings.json"
    put(machine, one, "user", hooks=True)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["hooks"]["Stop"][0]["hooks"].append({"type": "command", "command": "say done"})
    path.write_text(json.dumps(document), encoding="utf-8")
    for change in (lambda: put(machine, one, "user", hooks=True), lambda: undo(machine, one)):
        with pytest.raises(HostError, match="own entry"):
            change()
    assert json.loads(path.read_text(encoding="utf-8")) == document


def test_an_agent_without_hooks_or_project_says_so(machine):
    with pytest.raises(InvalidRequestError, match="Leave --hooks out"):
        install.targets(host("cursor"), "user", machine, LAUNCH, hooks=True)
    with pytest.raises(InvalidRequestError, match="Use --user"):
        install.targets(host("windsurf"), "project", machine, LAUNCH, hooks=False)
    with pytest.raises(InvalidRequestError, match="Did you mean 'cursor'"):
        host("curser")


def test_the_first_file_that_exists_is_used(machine):
    one = host("opencode")
    assert machine.file(one.user) == machine.home / ".config" / "opencode" / "opencode.json"
    other = machine.home / ".config" / "opencode" / "opencode.jsonc"
    other.parent.mkdir(parents=True)
    other.write_text("{ /* c */ }", encoding="utf-8")
    assert put(machine, one, "user")[0].path == other


def test_variables_say_where_files_are(machine):
    environ = {"PATH": "", "CLAUDE_CONFIG_DIR": "/c", "CODEX_HOME": "/x", "XDG_CONFIG_HOME": "/xdg"}
    here = Machine(machine.project, machine.home, "linux", environ)
    assert here.file(host("claude-code").user) == Path("/c/.claude.json")
    assert here.hook_file(host("claude-code"), "user") == Path("/c/settings.json")
    assert here.file(host("codex").user) == Path("/x/config.toml")
    assert here.file(host("zed").user) == Path("/xdg/zed/settings.json")
    mac = Machine(machine.project, Path("/Users/me"), "darwin", {})
    assert mac.file(host("vscode").user) == Path(
        "/Users/me/Library/Application Support/Code/User/mcp.json"
    )
    windows = Machine(machine.project, Path("/me"), "win32", {"APPDATA": "/me/AppData/Roaming"})
    assert windows.file(host("goose").user) == Path(
        "/me/AppData/Roaming/Block/goose/config/config.yaml"
    )
    assert windows.file(host("zed").user) == Path("/me/AppData/Roaming/Zed/settings.json")


def test_an_agent_is_seen_by_its_program_or_its_files(machine, tmp_path):
    assert not any(machine.has(one) for one in HOSTS)
    (machine.home / ".codex").mkdir()
    assert [one.name for one in HOSTS if machine.has(one)] == ["codex"]
    (check,) = checks(machine)
    assert (check.ok, "install-host codex" in check.detail) == (None, True)
    program = tmp_path / "bin" / ("gemini.exe" if os.name == "nt" else "gemini")
    program.parent.mkdir()
    program.write_text("", encoding="utf-8")
    program.chmod(0o755)
    there = Machine(
        machine.project, machine.home, sys.platform, {**os.environ, "PATH": str(program.parent)}
    )
    assert there.has(host("gemini-cli"))


@pytest.mark.parametrize("name", ["cursor", "opencode", "goose", "continue", "codex"])
def test_a_program_that_is_gone_is_told(machine, tmp_path, name):
    program = tmp_path / "victor-memory"
    program.write_text("", encoding="utf-8")
    put(machine, host(name), "user", how=Launch((str(program),), {}))
    (check,) = checks(machine)
    assert check.ok is True
    program.unlink()
    (check,) = checks(machine)
    assert check.ok is False
    assert f"{program}, which is gone" in check.detail
    put(machine, host(name), "user", how=Launch(("victor-memory",), {}))
    (check,) = checks(machine)
    assert check.ok is True


def test_every_agent_has_a_page_a_mark_and_a_name_of_its_own():
    assert len({one.name for one in HOSTS}) == len(HOSTS)
    for one in HOSTS:
        assert one.source.startswith("https://")
        assert one.programs or one.marks
        assert one.scopes


def test_settings_are_carried_over_and_secrets_are_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    how = launch(
        environ={
            "VICTOR_VECTOR_STORE": "sqlite", "VICTOR_EMBEDDINGS_DIR": "here", "VICTOR_EMBEDDING_API_KEY": "k",
            "VICTOR_LANCEDB_X": "1", "VICTOR_PROVIDER": "the host's", "VICTOR_MEMORY_STRICT": "", "HOME": "/h",
        }
    )  # fmt: skip
    assert how.environment == {
        "VICTOR_VECTOR_STORE": "sqlite", "VICTOR_EMBEDDINGS_DIR": str(tmp_path / "here"), "VICTOR_LANCEDB_X": "1",
    }  # fmt: skip
    assert how.withheld == ("VICTOR_EMBEDDING_API_KEY",)
    assert launch(environ={}).environment == {}


def test_the_program_is_named_so_that_an_agent_can_start_it(monkeypatch):
    (program,) = launch(environ={}).line[:1]
    assert Path(program).is_absolute()
    done = subprocess.run(
        [*launch(environ={}).line, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("victor-memory ")
    assert launch(portable=True, environ={}).line == ("victor-memory",)
    monkeypatch.setattr(sys, "prefix", "/h/.cache/uv/archive-v0/abc")
    assert launch(environ={}).line[-1] == "victor-memory"
    assert Path(launch(environ={}).line[0]).name.startswith("uvx")
    monkeypatch.setattr(sys, "prefix", "/h/.local/pipx/.cache/0a1b")
    assert launch(environ={}).line[-2:] == ("run", "victor-memory")
    monkeypatch.setattr(sys, "prefix", "/h/.local/share/pipx/venvs/victor-memory")
    assert "run" not in launch(environ={}).line


def test_a_hook_is_quoted_for_a_shell(monkeypatch):
    how = Launch(("/o p/victor-memory",), {"VICTOR_VECTOR_STORE": "a b"})
    assert how.shell("capture") == "env 'VICTOR_VECTOR_STORE=a b' '/o p/victor-memory' capture"
    monkeypatch.setattr(os, "name", "nt")
    program = str(PureWindowsPath("C:/Users/a/victor-memory.exe"))
    assert Launch((program,), {}).shell("capture") == "C:/Users/a/victor-memory.exe capture"
