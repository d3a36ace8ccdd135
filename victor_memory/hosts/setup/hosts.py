"""The agents that can be set up: one entry each, and nothing about any of them elsewhere.

`source` is the page that says where the agent reads its servers from and in which form.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from victor_memory.errors import InvalidRequestError
from victor_memory.hosts.setup.edits import FormatName

Scope: TypeAlias = Literal["user", "project"]
SCOPES: Final[tuple[Scope, ...]] = ("user", "project")
SERVER: Final = "victor-memory"
"""The name that our server has in every agent."""

COMMAND, ARGUMENTS, LINE, ENVIRONMENT = "$command", "$arguments", "$line", "$environment"
"""Stand in the form of an entry for the program, its arguments, both in one list, variables."""

CAPTURE, BEGIN = "$capture", "$begin"
"""Stand for the shell commands that queue what was said, and that tell what is remembered."""

STANDARD: Final = {"command": COMMAND, "args": ARGUMENTS, "env": ENVIRONMENT}
TYPED: Final = {"type": "stdio", **STANDARD}


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A file that an agent reads its servers from.

    `paths` are templates (see `paths.expand`); the first that exists is used, else the first.
    `windows` replaces them there. A `listed` server stands in a list and has its name inside.
    """

    paths: tuple[str, ...]
    form: FormatName
    at: tuple[str, ...]
    windows: tuple[str, ...] = ()
    listed: bool = False
    preamble: Mapping[str, Any] = field(default_factory=dict)
    """What else a new file must say."""


@dataclass(frozen=True, slots=True)
class HookFile:
    """A file that an agent reads commands from which it runs at events of a session."""

    user: str
    project: str
    form: FormatName
    at: tuple[str, ...]
    events: Mapping[str, Mapping[str, Any]]
    """Event to the entry of its list."""


@dataclass(frozen=True, slots=True)
class Host:
    """One agent: its files, the form of an entry, and what shows that it is installed."""

    name: str
    title: str
    source: str
    entry: Mapping[str, Any]
    user: SettingsFile | None = None
    project: SettingsFile | None = None
    programs: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    """Files or directories that only the agent makes."""
    hooks: HookFile | None = None
    after: str = ""
    """What the person has to do then."""

    def settings(self, scope: Scope) -> SettingsFile:
        """Return the file of *scope*.

        Raises:
            InvalidRequestError: the agent has none.

        """
        chosen = self.user if scope == "user" else self.project
        if chosen is None:
            other = "user" if scope == "project" else "project"
            msg = f"{self.title} has no settings file for a {scope}. Use --{other}."
            raise InvalidRequestError(msg)
        return chosen

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The scopes that there is a file for; the first is the default."""
        return tuple(one for one in SCOPES if (self.user, self.project)[SCOPES.index(one)])


def _servers(*paths: str, form: FormatName = "jsonc", **more: Any) -> SettingsFile:
    return SettingsFile(paths, form, ("mcpServers",), **more)


def _hook(command: str, **more: Any) -> dict[str, Any]:
    return {**more, "hooks": [{"type": "command", "command": command, "timeout": 10}]}


HOSTS: Final[tuple[Host, ...]] = (
    Host(
        name="claude-code",
        title="Claude Code",
        source="https://code.claude.com/docs/en/mcp",
        entry=TYPED,
        # Its settings files may not have comments: https://code.claude.com/docs/en/settings
        user=_servers("{CLAUDE_CONFIG_DIR|~}/.claude.json", form="json"),
        project=_servers(".mcp.json", form="json"),
        programs=("claude",),
        marks=("{CLAUDE_CONFIG_DIR|~/.claude}", "{CLAUDE_CONFIG_DIR|~}/.claude.json"),
        # https://code.claude.com/docs/en/hooks; a time-out is in seconds.
        hooks=HookFile(
            user="{CLAUDE_CONFIG_DIR|~/.claude}/settings.json",
            project=".claude/settings.json",
            form="json",
            at=("hooks",),
            events={
                # Not where a session is resumed: what was told then is still in it.
                "SessionStart": _hook(BEGIN, matcher="startup|clear|compact"),
                "Stop": _hook(CAPTURE),
                "PreCompact": _hook(CAPTURE),
                "SessionEnd": _hook(CAPTURE),
            },
        ),
        after="Claude Code asks once whether a project's server may run.",
    ),
    Host(
        name="codex",
        title="Codex CLI",
        source="https://developers.openai.com/codex/mcp",
        entry=STANDARD,
        user=SettingsFile(("{CODEX_HOME|~/.codex}/config.toml",), "toml", ("mcp_servers",)),
        project=SettingsFile((".codex/config.toml",), "toml", ("mcp_servers",)),
        programs=("codex",),
        marks=("{CODEX_HOME|~/.codex}",),
        after="Codex reads the file of a project only where the project is trusted.",
    ),
    Host(
        name="cursor",
        title="Cursor",
        source="https://cursor.com/docs/mcp",
        entry=TYPED,
        user=_servers("~/.cursor/mcp.json"),
        project=_servers(".cursor/mcp.json"),
        programs=("cursor", "cursor-agent"),
        marks=("~/.cursor",),
    ),
    Host(
        name="vscode",
        title="VS Code",
        source="https://code.visualstudio.com/docs/copilot/reference/mcp-configuration",
        entry=TYPED,
        user=SettingsFile(("{app}/Code/User/mcp.json",), "jsonc", ("servers",)),
        project=SettingsFile((".vscode/mcp.json",), "jsonc", ("servers",)),
        programs=("code",),
        marks=("{app}/Code/User",),
    ),
    Host(
        name="gemini-cli",
        title="Gemini CLI",
        source="https://github.com/google-gemini/gemini-cli/blob/main/docs/tools/mcp-server.md",
        entry=STANDARD,
        user=_servers("~/.gemini/settings.json"),
        project=_servers(".gemini/settings.json"),
        programs=("gemini",),
        marks=("~/.gemini/settings.json",),
    ),
    Host(
        name="opencode",
        title="opencode",
        source="https://opencode.ai/docs/mcp-servers",
        # As its version 1 reads it, which version 2 still does: https://opencode.ai/docs/migrate-v1
        entry={"type": "local", "command": LINE, "environment": ENVIRONMENT},
        user=SettingsFile(
            ("{xdg}/opencode/opencode.json", "{xdg}/opencode/opencode.jsonc"), "jsonc", ("mcp",)
        ),
        project=SettingsFile(
            ("opencode.json", "opencode.jsonc", ".opencode/opencode.json"), "jsonc", ("mcp",)
        ),
        programs=("opencode",),
        marks=("{xdg}/opencode",),
    ),
    Host(
        name="zed",
        title="Zed",
        source="https://zed.dev/docs/ai/mcp",
        entry=STANDARD,
        user=SettingsFile(
            ("{xdg}/zed/settings.json",),
            "jsonc",
            ("context_servers",),
            windows=("{app}/Zed/settings.json",),
        ),
        project=SettingsFile((".zed/settings.json",), "jsonc", ("context_servers",)),
        programs=("zed", "zeditor"),
        marks=("{xdg}/zed",),
    ),
    Host(
        name="continue",
        title="Continue",
        source="https://docs.continue.dev/customize/deep-dives/mcp",
        entry={"name": SERVER, **STANDARD},
        user=_servers(
            "~/.continue/config.yaml",
            form="yaml",
            listed=True,
            preamble={"name": "Local Agent", "version": "1.0.0", "schema": "v1"},
        ),
        project=_servers(
            ".continue/mcpServers/victor-memory.yaml",
            form="yaml",
            listed=True,
            preamble={"name": "Victor memory", "version": "1.0.0", "schema": "v1"},
        ),
        programs=("cn",),
        marks=("~/.continue",),
    ),
    Host(
        name="windsurf",
        title="Windsurf",
        source="https://docs.windsurf.com/windsurf/cascade/mcp",
        entry=STANDARD,
        user=_servers("~/.codeium/windsurf/mcp_config.json"),
        programs=("windsurf",),
        marks=("~/.codeium/windsurf",),
    ),
    Host(
        name="cline",
        title="Cline",
        source="https://docs.cline.bot/mcp/mcp-overview",
        entry=STANDARD,
        user=_servers(
            "{CLINE_MCP_SETTINGS_PATH|~/.cline/data/settings/cline_mcp_settings.json}",
            "{app}/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
        ),
        programs=("cline",),
        marks=("~/.cline", "{app}/Code/User/globalStorage/saoudrizwan.claude-dev"),
    ),
    Host(
        name="claude-desktop",
        title="Claude Desktop",
        source="https://modelcontextprotocol.io/docs/develop/connect-local-servers",
        entry=STANDARD,
        user=_servers("{app}/Claude/claude_desktop_config.json", form="json"),
        marks=("{app}/Claude",),
        after="Quit Claude Desktop and start it again.",
    ),
    Host(
        name="goose",
        title="Goose",
        source="https://github.com/block/goose/blob/main/documentation/docs/guides/config-files.md",
        entry={
            "enabled": True,
            "type": "stdio",
            "name": SERVER,
            "description": "Memory of code and conversations",
            "cmd": COMMAND,
            "args": ARGUMENTS,
            "envs": ENVIRONMENT,
            "timeout": 300,
        },
        user=SettingsFile(
            ("~/.config/goose/config.yaml",),
            "yaml",
            ("extensions",),
            windows=("{app}/Block/goose/config/config.yaml",),
        ),
        programs=("goose",),
        marks=("~/.config/goose",),
    ),
    Host(
        name="amp",
        title="Amp",
        source="https://ampcode.com/manual#mcp",
        entry=STANDARD,
        user=SettingsFile(
            ("~/.config/amp/settings.json", "~/.config/amp/settings.jsonc"),
            "jsonc",
            ("amp.mcpServers",),
        ),
        project=SettingsFile(
            (".amp/settings.json", ".amp/settings.jsonc"), "jsonc", ("amp.mcpServers",)
        ),
        programs=("amp",),
        marks=("~/.config/amp",),
        after="Amp asks for approval of a project's servers.",
    ),
    Host(
        name="roo-code",
        title="Roo Code",
        source="https://docs.roocode.com/features/mcp/using-mcp-in-roo",
        entry=STANDARD,
        user=_servers(
            "{app}/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"
        ),
        project=_servers(".roo/mcp.json"),
        marks=("{app}/Code/User/globalStorage/rooveterinaryinc.roo-cline",),
    ),
    Host(
        name="copilot-cli",
        title="GitHub Copilot CLI",
        source="https://docs.github.com/en/copilot/how-tos/use-copilot-agents/use-copilot-cli",
        entry={**STANDARD, "type": "local", "tools": ["*"]},
        user=_servers("~/.copilot/mcp-config.json"),
        programs=("copilot",),
        marks=("~/.copilot",),
    ),
    Host(
        name="kiro",
        title="Kiro",
        source="https://kiro.dev/docs/mcp/configuration",
        entry=STANDARD,
        user=_servers("~/.kiro/settings/mcp.json"),
        project=_servers(".kiro/settings/mcp.json"),
        programs=("kiro", "kiro-cli"),
        marks=("~/.kiro",),
    ),
    Host(
        name="qwen-code",
        title="Qwen Code",
        source="https://qwenlm.github.io/qwen-code-docs/en/developers/tools/mcp-server/",
        entry=STANDARD,
        user=_servers("~/.qwen/settings.json"),
        project=_servers(".qwen/settings.json"),
        programs=("qwen",),
        marks=("~/.qwen",),
    ),
    Host(
        name="crush",
        title="Crush",
        source="https://github.com/charmbracelet/crush#mcps",
        entry=TYPED,
        user=SettingsFile(
            ("{xdg}/crush/crush.json",),
            "jsonc",
            ("mcp",),
            windows=("{LOCALAPPDATA|~/AppData/Local}/crush/crush.json",),
        ),
        project=SettingsFile((".crush.json", "crush.json"), "jsonc", ("mcp",)),
        programs=("crush",),
        marks=("{xdg}/crush",),
    ),
)


def host(name: str) -> Host:
    """Return the agent called *name*.

    Raises:
        InvalidRequestError: there is none; the message has the nearest name.

    """
    known = {one.name: one for one in HOSTS}
    if name not in known:
        near = difflib.get_close_matches(name.lower(), known, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        msg = f"Unknown agent {name!r}. {hint}`install-host --list` shows them all."
        raise InvalidRequestError(msg)
    return known[name]


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Return *template* with its stand-ins replaced; an entry that stands for nothing is left out.

    *values* has what `COMMAND` and its like stand for.
    """
    if isinstance(template, str):
        return values.get(template, template)
    if isinstance(template, Mapping):
        pairs = {key: filled(one, values) for key, one in template.items()}
        return {key: one for key, one in pairs.items() if one or template[key] != ENVIRONMENT}
    if isinstance(template, list):
        return [filled(one, values) for one in template]
    return template
