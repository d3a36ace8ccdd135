"""Where the settings files of agents are on this machine."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from victor_memory.hosts.setup.hosts import Host, Scope, SettingsFile

VARIABLE = re.compile(r"\{(\w+)(?:\|([^{}]*))?\}")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the place of a file depends on; a test may give another machine than this one."""

    project: Path
    home: Path = field(default_factory=Path.home)
    platform: str = sys.platform
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def expand(self, template: str) -> Path:
        """Return the path that *template* names.

        A relative one is below the project. `~` is the home directory, `{app}` the directory of
        programs' settings on this system, `{xdg}` the XDG one on every system, and `{NAME|path}`
        the environment variable `NAME` or, where that is not set, `path`.
        """
        return self.project / self._plain(template)

    def _plain(self, template: str) -> Path:
        def value(match: re.Match[str]) -> str:
            name, default = match.groups()
            if name == "xdg":
                return self.environ.get("XDG_CONFIG_HOME") or "~/.config"
            if name == "app":
                return self._app()
            return self.environ.get(name) or default

        text = VARIABLE.sub(value, template)
        if text == "~" or text.startswith("~/"):
            return self.home / text[2:]
        return Path(text)

    def _app(self) -> str:
        if self.platform == "win32":
            return self.environ.get("APPDATA") or "~/AppData/Roaming"
        if self.platform == "darwin":
            return "~/Library/Application Support"
        return self.environ.get("XDG_CONFIG_HOME") or "~/.config"

    def file(self, settings: SettingsFile) -> Path:
        """Return the file of *settings*: the first that exists, else the first."""
        templates = settings.windows if self.platform == "win32" else ()
        paths = [self.expand(one) for one in templates or settings.paths]
        return next((one for one in paths if one.exists()), paths[0])

    def hook_file(self, host: Host, scope: Scope) -> Path | None:
        """Return the file that *host* reads hooks from, if it has any."""
        if host.hooks is None:
            return None
        return self.expand(host.hooks.user if scope == "user" else host.hooks.project)

    def has(self, host: Host) -> bool:
        """Whether *host* is installed here: a program of its name, or a file only it makes."""
        search = self.environ.get("PATH", "")
        if any(shutil.which(one, path=search) for one in host.programs):
            return True
        return any(self.expand(one).exists() for one in host.marks)
