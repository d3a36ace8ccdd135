"""How a file is cut into chunks: the protocol, and who cuts what."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol, runtime_checkable

from victor_memory._logging import get_logger
from victor_memory.codebase import grammars
from victor_memory.codebase.languages import language_of
from victor_memory.codebase.line_chunking import LineChunker
from victor_memory.codebase.notebooks import NotebookChunker
from victor_memory.codebase.tree_chunking import TreeChunker
from victor_memory.codebase.windows import MAX_CHARACTERS
from victor_memory.types import Chunk

log = get_logger(__name__)


@runtime_checkable
class Chunker(Protocol):
    """Cuts files of some languages; third parties bring theirs through a hook.

    Every chunk's lines lie in the file, and its text is at most `MAX_CHARACTERS` long; otherwise,
    and when it raises, the default is used for that file.
    """

    @property
    def languages(self) -> Collection[str]:
        """The languages it cuts, as `languages.language_of` calls them."""

    def chunk(self, path: str, text: str) -> list[Chunk]:
        """Return the chunks of the file *path*, whose lines end in a line feed, in order."""


_OWN: Final[Sequence[Chunker]] = (NotebookChunker(), TreeChunker())
_LAST: Final = LineChunker()


def cut(path: str, text: str, chunkers: Sequence[Chunker] = ()) -> tuple[list[Chunk], list[str]]:
    """Return the chunks of the file *path*, and what went wrong on the way to them.

    The first chunker for the file's language whose chunks are usable wins: one of *chunkers*, then
    notebooks by cell and what can be parsed by its syntax, then lines.
    """
    language = language_of(path)
    problems: list[str] = []
    for chunker in (*chunkers, *_OWN):
        try:
            if language is None or language not in chunker.languages:
                continue
            chunks = list(chunker.chunk(path, text))
            if not chunks and chunker in _OWN:
                continue
            _check(chunks, path, text)
        except Exception as exc:  # noqa: BLE001 - a chunker's bug must cost only its own chunks
            log.warning("chunker_failed", plugin=_name(chunker), error_type=type(exc).__name__)
            problems.append(f"The chunker {_name(chunker)} failed: {type(exc).__name__}: {exc}")
        else:
            return chunks, problems
    if grammars.GRAMMARS.problem is not None and language in grammars.LANGUAGES:
        problems.append(grammars.GRAMMARS.problem)
    return cut_lines(path, text), problems


def cut_lines(path: str, text: str) -> list[Chunk]:
    """Return the chunks of the file *path* as of one in no language."""
    return _LAST.chunk(path, text)


def languages_of(chunkers: Sequence[Chunker]) -> frozenset[str]:
    """Return the languages that *chunkers* name; one that cannot say names none."""
    found: set[str] = set()
    for chunker in chunkers:
        try:
            found.update(str(one) for one in chunker.languages)
        except Exception as exc:  # noqa: BLE001 - as in `cut`, where it is reported
            log.warning("chunker_failed", plugin=_name(chunker), error_type=type(exc).__name__)
    return frozenset(found)


def _name(chunker: Chunker) -> str:
    return type(chunker).__name__


def _check(chunks: list[Chunk], path: str, text: str) -> None:
    last = text.count("\n") + 1
    for one in chunks:
        if not isinstance(one, Chunk) or one.path != path:
            msg = f"it returned {one!r} for {path!r}"
        elif not 1 <= one.start_line <= one.end_line <= last:
            msg = f"lines {one.start_line}-{one.end_line} of {last} in {path!r}"
        elif len(one.text) > MAX_CHARACTERS:
            msg = (
                f"{len(one.text)} characters in one chunk of {path!r}, of {MAX_CHARACTERS} allowed"
            )
        elif not isinstance(one.symbol, str | None) or not isinstance(one.language, str | None):
            msg = f"a symbol {one.symbol!r} or language {one.language!r} that is no string"
        else:
            f"{one.text}{one.symbol}{one.language}".encode()
            continue
        raise ValueError(msg)
    if text.strip() and not any(one.text.strip() for one in chunks):
        msg = f"no chunk for {path!r}, which is not empty"
        raise ValueError(msg)
