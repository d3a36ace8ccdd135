"""`diagnose`: what is selected and why, what fell back or broke, and whether the stores work."""

from __future__ import annotations

import sys
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from victor_memory.errors import VictorMemoryError, VictorMemoryWarning
from victor_memory.settings import MEMORIES, variable
from victor_memory.specs import package_version

if TYPE_CHECKING:
    from victor_memory.runtime import MemoryRuntime
    from victor_memory.settings import Memory

PROBE: Final = "victor-memory-doctor"
"""The collection that the round trip is made in; it is deleted afterwards."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `ok` is `None` for a plain fact, and for a mere warning."""

    name: str
    ok: bool | None
    detail: str


async def diagnose(runtime: MemoryRuntime) -> AsyncIterator[Check]:
    """Yield every check of *runtime* in a sensible order; a failing one does not end the rest."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("version", None, f"victor-memory {package_version()} on Python {version}")
    yield Check("project", None, f"{runtime.scope.project} at {runtime.scope.root}")
    yield await _embedder(runtime)
    for memory in MEMORIES:
        store, source = runtime.settings.store_choice(memory)
        yield Check(f"{memory} store", None, f"{store} (chosen by {source})")
        async for check in _store(runtime, memory):
            yield check
    yield _queue(runtime)
    for report in runtime.plugins.reports:
        origin = f"{report.distribution} {report.version}" if report.distribution else "registered"
        if report.error:
            advice = f"Disable it with {variable('memory_disabled_plugins')}={report.name}"
            yield Check(
                f"plugin {report.name}", ok=False, detail=f"{report.error} ({origin}). {advice}"
            )
        else:
            state = "disabled" if report.disabled else "loaded"
            yield Check(
                f"plugin {report.name}", None if report.disabled else True, f"{state} ({origin})"
            )


def _queue(runtime: MemoryRuntime) -> Check:
    """Say what agents' hooks have queued, and what of it could not be understood."""
    queue = runtime.transfer.queue
    waiting = f"{queue.waiting()} entries of agents' hooks wait for: victor-memory import"
    if damaged := queue.damaged():
        detail = (
            f"{waiting}; {len(damaged)} could not be understood and are kept in "
            f"{damaged[0].parent}: look at them, then delete them."
        )
        return Check("capture queue", ok=False, detail=detail)
    return Check("capture queue", None, waiting)


async def _embedder(runtime: MemoryRuntime) -> Check:
    settings = runtime.settings
    try:
        model = runtime.embedders.get(settings.config("codebase", PROBE))
        info = await model.load()
        await model.embed(["Does the model answer?"])
    except VictorMemoryError as exc:
        return Check("embedder", ok=False, detail=str(exc))
    return Check("embedder", ok=True, detail=f"{info.fingerprint} answers")


async def _store(runtime: MemoryRuntime, memory: Memory) -> AsyncIterator[Check]:
    """Write, find and delete a record in a collection made for that, then look at the real one."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", VictorMemoryWarning)
        try:
            provider = runtime.provider(memory, PROBE)
            try:
                await provider.health_check()
                stats = await provider.stats()
            finally:
                await provider.drop()
        except VictorMemoryError as exc:
            yield Check(f"{memory} round trip", ok=False, detail=str(exc))
            return
    for warning in caught:
        yield Check(f"{memory} warning", None, str(warning.message))
    place = (stats.location or "this process").removesuffix(PROBE)
    done = f"write, search and delete work in {provider.title} at {place}"
    yield Check(f"{memory} round trip", ok=True, detail=done)
    if note := stats.details.get("note"):
        yield Check(f"{memory} engine", None, f"{stats.details.get('vector_engine')}: {note}")
