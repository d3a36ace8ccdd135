"""The tools that answer about code: each takes checked arguments and returns a `Result`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from victor_memory.errors import InvalidRequestError
from victor_memory.tools import results
from victor_memory.tools.fitting import fitting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from victor_memory.codebase.answers import CodeHit
    from victor_memory.codebase.commit_search import CommitHit
    from victor_memory.codebase.memory import CodebaseMemory
    from victor_memory.runtime import MemoryRuntime
    from victor_memory.tools.arguments import (
        CodeCallers,
        CodeOutline,
        CodeRelated,
        CodeSearch,
    )

_FILES_SHOWN: Final = 12
"""Files of a commit."""
_DIGITS: Final = 3
_FACTORS: Final = frozenset({"place", "repeat", "merge"})
"""Parts that the others are multiplied by."""
_PLACE: Final = 40
"""Characters that the place of something takes in an answer."""


async def code_search(memory: MemoryRuntime, given: CodeSearch) -> results.CodeFound:
    """Search the code, the definitions or the commits of the current project."""
    if given.target == "history":
        return await _history(memory, given)
    codebase = code_of(memory)
    answer = await codebase.search(
        given.query,
        limit=given.limit,
        mode="symbol" if given.target == "symbol" else "hybrid",
        path=given.path,
        language=given.language,
    )
    kept, left_out = _within(answer.hits, given.budget)
    found = results.CodeFound(
        query=given.query,
        target=given.target,
        results=kept,
        left_out=left_out,
        notice=answer.notice,
    )
    if answer.overview:
        found.files = [
            results.MapEntry(path=one.path, symbols=list(one.symbols)) for one in answer.files
        ]
    if given.target == "symbol" and not kept:
        structure = memory.structure_at(codebase.root)
        defined = await structure.symbols(given.query, path=given.path, limit=1)
        found.suggestions = list(defined.suggestions)
    return found


async def _history(memory: MemoryRuntime, given: CodeSearch) -> results.CodeFound:
    if given.language is not None:
        msg = "language is about code, not about commits. Leave it out, or give a path."
        raise InvalidRequestError(msg)
    answer = await memory.history.search(given.query, limit=given.limit, path=given.path)
    commits = [_commit(one) for one in answer.hits]
    kept, left_out = fitting(commits, given.budget, _characters)
    return results.CodeFound(
        query=given.query,
        target="history",
        commits=kept,
        left_out=left_out,
        notice=answer.notice,
    )


async def code_related(memory: MemoryRuntime, given: CodeRelated) -> results.CodeFound:
    """Return code that is like the code at a place."""
    answer = await code_of(memory).search(
        given.place, limit=given.limit, mode="related", path=given.path
    )
    kept, left_out = _within(answer.hits, given.budget)
    return results.CodeFound(
        query=given.place,
        target="related",
        results=kept,
        left_out=left_out,
        notice=answer.notice,
    )


async def code_outline(memory: MemoryRuntime, given: CodeOutline) -> results.Outline:
    """Return what one file defines and imports."""
    answer = await memory.structure_at(code_of(memory).root).outline(given.path)
    symbols = [
        results.Symbol(
            kind=one.kind,
            name=one.qualified,
            start_line=one.start_line,
            end_line=one.end_line,
            signature=one.signature,
        )
        for one in answer.symbols
    ]
    kept, left_out = fitting(symbols, given.budget, lambda one: _PLACE + len(one.signature))
    return results.Outline(
        path=answer.path,
        language=answer.language,
        symbols=kept,
        imports=[
            results.Import(line=one.line, module=one.module, names=list(one.names))
            for one in answer.imports
        ],
        left_out=left_out,
        notice=None if answer.parsed else "There is no grammar for this file: found by text.",
    )


async def code_callers(memory: MemoryRuntime, given: CodeCallers) -> results.Callers:
    """Return what calls something of this name."""
    structure = memory.structure_at(code_of(memory).root)
    answer = await structure.callers(given.name, path=given.path, limit=given.limit)
    calls = [
        results.Call(path=one.path, line=one.line, within=one.within, text=one.text)
        for one in answer.results
    ]
    kept, left_out = fitting(calls, given.budget, lambda one: _PLACE + len(one.path + one.text))
    return results.Callers(
        name=given.name,
        results=kept,
        total=answer.total,
        left_out=left_out + answer.total - len(calls),
        notice=answer.looked.notice(),
    )


def code_of(memory: MemoryRuntime) -> CodebaseMemory:
    """Return the code of the current project, if it is one.

    Raises:
        InvalidRequestError: the project is a home directory or a whole disk, which a host without
            a project starts us in: indexing it would take hours and be of no use.

    """
    root = Path(memory.scope.root)
    if root == Path(root.anchor) or root == Path.home().resolve():
        msg = (
            f"{root} is no project, so its files are not searched. Open a project in the host, or "
            "name its directory in the host's settings: victor-memory mcp --project DIRECTORY."
        )
        raise InvalidRequestError(msg)
    return memory.codebase


def _within(hits: tuple[CodeHit, ...], budget: int) -> tuple[list[results.Code], int]:
    from victor_memory.codebase.answers import within

    kept = within(hits, budget)
    return [_code(one) for one in kept], len(hits) - len(kept)


def _code(hit: CodeHit) -> results.Code:
    return results.Code(
        path=hit.path,
        start_line=hit.start_line,
        end_line=hit.end_line,
        text=hit.text,
        symbol=hit.symbol,
        language=hit.language,
        score=round(hit.score, _DIGITS),
        why=rounded(hit.parts),
    )


def _commit(hit: CommitHit) -> results.Commit:
    return results.Commit(
        sha=hit.sha,
        date=hit.date,
        author=hit.author,
        subject=hit.subject,
        text=hit.excerpt,
        files=list(hit.files[:_FILES_SHOWN]),
        file_count=hit.file_count,
        score=round(hit.score, _DIGITS),
        why=rounded(hit.parts),
    )


def _characters(commit: results.Commit) -> int:
    return sum(map(len, (commit.subject, commit.text, *commit.files)))


def rounded(parts: Mapping[str, float]) -> dict[str, float]:
    """Return the parts of a score that count for something: no zero, and no factor of one."""
    small = {name: round(value, _DIGITS) for name, value in parts.items()}
    return {
        name: value
        for name, value in small.items()
        if value and not (name in _FACTORS and value == 1.0)
    }
