"""A stored chunk, as a search sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from victor_memory.codebase.records import KIND, Version
from victor_memory.retrieval.definitions import definitions

_MENTIONS: Final = frozenset(["heading", "key"])


@dataclass(frozen=True, slots=True)
class FoundChunk:
    """A chunk and where it is; lines are 1-based and inclusive."""

    id: str
    path: str
    digest: str
    start_line: int
    end_line: int
    language: str | None
    symbol: str | None
    defines: tuple[str, ...] | None
    """Qualified names; `None` where no syntax tree told."""
    definitions: tuple[str, ...] | None
    """The same for ranking: a heading or a key of data is no definition of it."""
    kinds: tuple[str, ...]
    starts: tuple[int, ...]
    """The lines where the definitions in it begin, in order."""
    text: str

    @classmethod
    def of(cls, key: str, text: str, metadata: Mapping[str, Any]) -> FoundChunk | None:
        """Return the chunk of a record, or `None` if the record is somebody else's."""
        path = metadata.get("file_path")
        if metadata.get("kind") != KIND or not isinstance(path, str):
            return None
        given = metadata.get("defines")
        defines = None if given is None else tuple(given)
        kinds = tuple(metadata.get("kinds") or ())
        return cls(
            id=key,
            path=path,
            digest=str(metadata.get("file_hash")),
            start_line=metadata["line_number"],
            end_line=metadata["end_line"],
            language=metadata.get("language"),
            symbol=metadata.get("symbol_name"),
            defines=defines,
            definitions=() if kinds and _MENTIONS.issuperset(kinds) else defines,
            kinds=kinds,
            starts=tuple(map(int, str(metadata.get("starts") or "").split())),
            text=text,
        )

    @property
    def version(self) -> Version:
        """The file content that the chunk is of."""
        return self.path, self.digest

    def names(self) -> tuple[str, ...]:
        """Return the names that it defines, as far as can be told."""
        if self.defines is not None:
            return self.defines
        return tuple(one.name for one in definitions(self.text, self.language))
