"""How code is found in one collection: a checked request, two candidate lists, one ranking."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from pathspec import GitIgnoreSpec

from victor_memory.codebase.languages import check_language
from victor_memory.codebase.records import KIND
from victor_memory.errors import InvalidRequestError
from victor_memory.filters import Filter, all_of, where
from victor_memory.retrieval.fusion import fuse
from victor_memory.retrieval.ranking import Candidate, dense_share, rank
from victor_memory.types import Hit

if TYPE_CHECKING:
    from victor_memory.providers.base import BaseEmbeddingProvider

Mode: TypeAlias = Literal["hybrid", "semantic", "lexical"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
MAX_LIMIT: Final = 1000
POOL: Final = 150
"""Chunks taken from each search before ranking, at least; ten are taken for each result."""
MAX_POOL: Final = 10_000


@dataclass(frozen=True, slots=True)
class CodeHit:
    """A piece of code that answers the query; lines are 1-based and inclusive."""

    path: str
    start_line: int
    end_line: int
    symbol: str | None
    language: str | None
    score: float
    """Higher is better; comparable within one answer only."""
    text: str
    parts: Mapping[str, float]
    """What the score is made of: see `victor_memory.retrieval.ranking`."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to look for, checked: construct it with `SearchRequest.of`."""

    query: str
    limit: int
    mode: Mode
    path: str | None
    language: str | None

    @classmethod
    def of(
        cls,
        query: str,
        *,
        limit: int = 10,
        mode: str = "hybrid",
        path: str | None = None,
        language: str | None = None,
        languages: frozenset[str] = frozenset(),
    ) -> SearchRequest:
        """Return the request if it can be answered; *languages* are known beside the built-in ones.

        Raises:
            InvalidRequestError: it cannot; the message names the argument and the next step.

        """
        if not isinstance(query, str) or not query.strip():
            msg = "The query is empty. Say what to look for, in plain words or names."
            raise InvalidRequestError(msg)
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
            msg = f"limit is {limit!r}; ask for 1 to {MAX_LIMIT} results."
            raise InvalidRequestError(msg)
        if path is not None:
            _globbed(path)
        if language is not None:
            language = check_language(language, languages)
        for known in MODES:
            if mode == known:
                return cls(query, limit, known, path, language)
        msg = f"There is no search mode {mode!r}. Use one of: {', '.join(MODES)}."
        raise InvalidRequestError(msg)


class CodeSearch:
    """Finds chunks in *provider*, whatever the state of the files is."""

    def __init__(self, provider: BaseEmbeddingProvider) -> None:
        self._provider = provider

    async def find(self, asked: SearchRequest) -> list[tuple[CodeHit, str]]:
        """Return the hits, best first, each with the digest of the file content it is from."""
        pattern = None if asked.path is None else _globbed(asked.path)
        conditions = all_of(
            None if asked.path is None else _prefix(asked.path),
            None if asked.language is None else where("language", "=", asked.language),
        )
        pool = min(MAX_POOL, max(POOL, 10 * asked.limit))
        while True:
            lexical, dense = await self._candidates(asked, pool, conditions)
            exhausted = max(len(lexical), len(dense)) < pool or pool == MAX_POOL
            chunks = {hit.id: hit for hit in (*lexical, *dense) if _matches(hit, pattern)}
            if len(chunks) >= asked.limit or exhausted:
                break
            # The glob is applied here, not by the store: it may need a deeper look.
            pool = min(MAX_POOL, pool * 4)
        share = {"lexical": 0.0, "semantic": 1.0}.get(asked.mode, dense_share(asked.query))
        fused = fuse(
            {hit.id: hit.score for hit in lexical if hit.id in chunks},
            {hit.id: hit.score for hit in dense if hit.id in chunks},
            share,
        )
        candidates = [
            Candidate(
                key,
                str(chunks[key].metadata["file_path"]),
                chunks[key].text,
                chunks[key].metadata.get("language"),
                one,
            )
            for key, one in fused.items()
        ]
        # A process elsewhere may rank thousands: not in the way of this loop's other tasks.
        ranked = await asyncio.to_thread(rank, asked.query, candidates, asked.limit)
        return [_hit(chunks[one.key], one.score, one.parts) for one in ranked]

    async def _candidates(
        self, asked: SearchRequest, pool: int, conditions: Filter | None
    ) -> tuple[list[Hit], list[Hit]]:
        async def by_words() -> list[Hit]:
            if asked.mode == "semantic":
                return []
            return await self._provider.search_text(asked.query, limit=pool, where=conditions)

        async def by_meaning() -> list[Hit]:
            if asked.mode == "lexical":
                return []
            vector = (await self._provider.embedder.embed([asked.query], purpose="query"))[0]
            return await self._provider.search(vector, limit=pool, where=conditions)

        lexical, dense = await asyncio.gather(by_words(), by_meaning())
        return lexical, dense


def _globbed(path: str) -> GitIgnoreSpec:
    try:
        spec = GitIgnoreSpec.from_lines([path.removeprefix("./")])
    except ValueError as exc:
        msg = f"{path!r} is not a glob. Write for example 'src/**/*.py', '*.md' or 'docs/'."
        raise InvalidRequestError(msg) from exc
    if not any(pattern.include for pattern in spec.patterns):
        msg = f"The glob {path!r} matches nothing. Write for example 'src/**/*.py' or 'docs/'."
        raise InvalidRequestError(msg)
    return spec


def _prefix(path: str) -> Filter | None:
    """Return what a store can check of a glob: the directories before its first wildcard."""
    glob = path.removeprefix("./")
    if "/" not in glob.rstrip("/"):
        return None  # such a glob matches at any depth
    literal = re.split(r"[*?\[\\]", glob, maxsplit=1)[0]
    directories = literal.rpartition("/")[0].lstrip("/")
    return where("file_path", "prefix", directories + "/") if directories else None


def _matches(hit: Hit, pattern: GitIgnoreSpec | None) -> bool:
    metadata = hit.metadata
    path = metadata.get("file_path")
    if metadata.get("kind") != KIND or not isinstance(path, str):
        return False  # somebody else's record in the same collection
    return pattern is None or pattern.match_file(path)


def _hit(found: Hit, score: float, parts: Mapping[str, float]) -> tuple[CodeHit, str]:
    data: Mapping[str, Any] = found.metadata
    hit = CodeHit(
        path=data["file_path"],
        start_line=data["line_number"],
        end_line=data["end_line"],
        symbol=data.get("symbol_name"),
        language=data.get("language"),
        score=score,
        text=found.text,
        parts=parts,
    )
    return hit, str(data.get("file_hash"))
