"""Third-party plugins: found by entry point, loaded one by one, and alone when they break."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import pluggy

from victor_memory import catalogue, hookspecs
from victor_memory._logging import get_logger
from victor_memory.errors import PluginError
from victor_memory.hookspecs import PROJECT

log = get_logger(__name__)
BUILTIN: Final = "built-in"
HOOKS: Final = tuple(name for name in vars(hookspecs) if name.startswith(f"{PROJECT}_"))
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PluginReport:
    """What became of one plugin: `error` is `None` while it works."""

    name: str
    distribution: str | None = None
    version: str | None = None
    disabled: bool = False
    error: str | None = None


class Plugins:
    """The loaded plugins of one runtime.

    A plugin that cannot be imported, misspells a hook, raises from one or returns something that
    nobody can use is unregistered and reported; the others, and the program, go on.
    """

    def __init__(self, disabled: Iterable[str] = ()) -> None:
        """Register what ships with this package; *disabled* names plugins never to load."""
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._manager.register(catalogue, BUILTIN)
        self._disabled = frozenset(disabled)
        self._reports: dict[str, PluginReport] = {}

    @property
    def reports(self) -> list[PluginReport]:
        """The third-party plugins that were found, by name."""
        return sorted(self._reports.values(), key=lambda report: report.name)

    def load_entry_points(self) -> None:
        """Load every plugin of the entry-point group `victor_memory` that is not disabled."""
        found = importlib.metadata.entry_points(group=PROJECT)
        for entry in sorted(found, key=lambda one: one.name):
            report = PluginReport(
                entry.name,
                distribution=entry.dist.name if entry.dist else None,
                version=entry.dist.version if entry.dist else None,
            )
            self._add(report, entry.load)

    def register(self, plugin: object, name: str | None = None) -> None:
        """Add *plugin*, an object or module with hooks, as if an entry point had named it.

        Raises:
            PluginError: the plugin cannot be used; it is not registered.

        """
        label = name or getattr(plugin, "__name__", None) or type(plugin).__qualname__
        self._add(PluginReport(label), lambda: plugin)
        if error := self._reports[label].error:
            raise PluginError(error)

    def _add(self, report: PluginReport, load: Callable[[], object]) -> None:
        if report.name in self._disabled:
            self._reports[report.name] = replace(report, disabled=True)
            return
        if report.name in self._reports or report.name == BUILTIN:
            report = replace(report, name=f"{report.name} ({report.distribution or 'again'})")
        self._reports[report.name] = report
        try:
            plugin = load()
            self._manager.register(plugin, report.name)
            self._check_hook_names(plugin)
        except Exception as exc:  # noqa: BLE001 - whatever a plugin does must stay its own problem
            self.discard(report.name, exc, "loading it")

    def _check_hook_names(self, plugin: object) -> None:
        """Refuse a misspelt hook: pluggy would only never call it."""
        named = {name for name in dir(plugin) if name.startswith(f"{PROJECT}_")}
        marked = {
            name
            for name in dir(plugin)
            if getattr(getattr(plugin, name, None), "victor_memory_impl", None)
        }
        if wrong := sorted((named | marked) - set(HOOKS)):
            msg = f"there is no hook {', '.join(wrong)}; the hooks are: {', '.join(HOOKS)}"
            raise PluginError(msg)

    def discard(self, name: str, exc: Exception, doing: str) -> None:
        """Unregister the plugin *name* because of *exc* and report it. The built-ins are never."""
        if name == BUILTIN:
            raise exc
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)
        error = f"{doing} failed: {type(exc).__name__}: {exc}"
        self._reports[name] = replace(self._reports[name], error=error)
        log.warning("plugin_failed", plugin=name, operation=doing, error_type=type(exc).__name__)

    def collect(self, hook: str, use: Callable[[Any], object]) -> None:
        """Call *hook* of each plugin and hand every item it returns to *use*.

        An item that *use* refuses by raising discards its plugin.
        """
        for name, call in self._calls(hook):
            try:
                for item in call() or ():
                    use(item)
            except Exception as exc:  # noqa: BLE001 - see _add
                self.discard(name, exc, hook)

    def items(self, hook: str) -> list[Any]:
        """Return every item that *hook* of any plugin returns."""
        found: list[Any] = []
        self.collect(hook, found.append)
        return found

    def notify(self, hook: str, **arguments: object) -> None:
        """Call the notification *hook* of each plugin."""
        for name, call in self._calls(hook):
            try:
                call(**arguments)
            except Exception as exc:  # noqa: BLE001 - see _add
                self.discard(name, exc, hook)

    def _calls(self, hook: str) -> list[tuple[str, Callable[..., Any]]]:
        """Return each plugin's implementation of *hook*, in order of registration."""
        implementations = getattr(self._manager.hook, hook).get_hookimpls()

        def caller(one: pluggy.HookImpl) -> Callable[..., Any]:
            # Only the arguments the plugin names, as pluggy itself would pass them.
            return lambda **given: one.function(*(given[name] for name in one.argnames))

        order = [name for name, _ in self._manager.list_name_plugin()]
        found = [(one.plugin_name, caller(one)) for one in implementations]
        return sorted(found, key=lambda pair: order.index(pair[0]))
