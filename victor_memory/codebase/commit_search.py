"""How commits are kept and found: the shape of their records, a checked request, one ranking."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from victor_memory.codebase.request import check_question, globbed
from victor_memory.errors import InvalidRequestError
from victor_memory.filters import Filter, all_of, where
from victor_memory.redaction import Redactor, redact
from victor_memory.retrieval.fusion import Fused
from victor_memory.retrieval.questions import dense_share, query_names
from victor_memory.retrieval.text import analyse, query_terms
from victor_memory.types import Hit, Record

if TYPE_CHECKING:
    from victor_memory.codebase.commits import Commit

HistoryMode: TypeAlias = Literal["hybrid", "semantic", "lexical"]
MODES: Final[tuple[HistoryMode, ...]] = get_args(HistoryMode)
KIND: Final = "commit"
FORMAT: Final = 1
"""Raise it when commits are kept or analysed differently: all are then read anew."""
SHORT_SHA: Final = 10
EXCERPT: Final = 800
"""Characters of a message that an answer shows."""

_EMBEDDED_FILES: Final = 8
_TERM_FILES: Final = 40
_SUBJECT_WEIGHT: Final = 2
"""How often the words of the subject count."""

DENSE: Final = 0.6
"""Of the dense share that suits a search of code: messages use the words that are asked with."""
SUBJECT: Final = 0.4
"""Added when the subject has all words of the query, and in part when it has some."""
FILE: Final = 0.2
"""Added when a file is named by the query; less if the commit touches many."""
CHANGE: Final = 0.6
"""Added when the query says that something appeared or went, and a path of that name did."""
NAME: Final = 0.2
"""Added when the message spells out an identifier that the query spells out."""
RECENCY: Final = 0.03
HALF_LIFE_DAYS: Final = 365.0
MERGE_FACTOR: Final = 0.9
"""A merge says what its parts say better."""

_CHANGES: Final = {
    "A": frozenset("add creat first introduc new start".split()),
    "D": frozenset("delet drop gone remov".split()),
}
"""What became of a file, and the (stemmed) words of a query that ask for it."""
_WORD: Final = re.compile(r"[\w.+/-]+")


# -- records --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prepared:
    """A commit's record, which lacks its vector, and what the model is given for that."""

    record: Record
    embedded: str


def prepared(commit: Commit, redactors: Sequence[Redactor]) -> Prepared:
    """Return *commit* ready to be embedded, its message after *redactors*.

    Raises:
        PluginError: a redactor failed.

    """
    message = redact(f"{commit.subject}\n\n{commit.body}".strip(), redactors).text
    embedded = "\n".join((message, *commit.files[:_EMBEDDED_FILES])).strip() or commit.sha
    record = Record(commit.sha, message, None, _metadata(commit), _terms(commit, message))
    return Prepared(record, embedded)


def _terms(commit: Commit, message: str) -> str:
    """Return what full-text search finds *commit* by: its message, and what it touches."""
    subject = message.partition("\n")[0]
    paths = {one for path in commit.files[:_TERM_FILES] for one in analyse(path)}
    found = [*analyse(message), *analyse(subject) * (_SUBJECT_WEIGHT - 1), *sorted(paths)]
    return " ".join(found)


def _metadata(commit: Commit) -> dict[str, Any]:
    return {
        "kind": KIND,
        "format": FORMAT,
        "author": commit.author,
        "author_key": commit.author.lower(),
        "date": commit.date.isoformat(),
        "time": int(commit.date.timestamp()),
        "parents": commit.parents,
        "files": list(commit.files),
        "changes": commit.changes,
        "file_count": commit.file_count,
        "whole": commit.whole,
    }


@dataclass(frozen=True, slots=True)
class CommitHit:
    """A commit that answers the query."""

    sha: str
    short: str
    date: str
    """When the author made the change: ISO 8601, UTC."""
    author: str
    subject: str
    excerpt: str
    """Those paragraphs of the message that have most to do with the query."""
    files: tuple[str, ...]
    """What it touches, relative to the repository's top; not all of very many."""
    file_count: int
    parents: int
    score: float
    """Higher is better; comparable within one answer only."""
    parts: Mapping[str, float]
    """What the score is made of: `lexical`, `dense` and `text`, their mixture; `subject`, `file`,
    `change`, `name` and `recency` are added to it, and all is multiplied by `merge`."""


# -- asking ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """A checked request: construct it with `HistoryRequest.of`."""

    query: str
    limit: int
    mode: HistoryMode
    path: str | None
    author: str | None
    since: datetime | None
    until: datetime | None

    @classmethod
    def of(
        cls,
        query: str,
        *,
        limit: int = 10,
        mode: str = "hybrid",
        path: str | None = None,
        author: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> HistoryRequest:
        """Return the request if it can be answered.

        Raises:
            InvalidRequestError: it cannot; the message names the argument and the next step.

        """
        check_question(query, limit, "Ask for example 'why was the retry limit raised'.")
        if author is not None and not author.strip():
            msg = "author is empty. Give a part of the name as the commits have it."
            raise InvalidRequestError(msg)
        if path is not None:
            globbed(path)
        for known in MODES:
            if mode == known:
                return cls(query, limit, known, path, author, _utc(since), _utc(until))
        msg = f"There is no history search mode {mode!r}. Use one of: {', '.join(MODES)}."
        raise InvalidRequestError(msg)

    def conditions(self) -> Filter | None:
        """Return what a store can check of it."""
        return all_of(
            where("kind", "=", KIND),
            None
            if self.author is None
            else where("author_key", "contains", self.author.strip().lower()),
            None if self.since is None else where("time", ">=", int(self.since.timestamp())),
            None if self.until is None else where("time", "<", int(self.until.timestamp())),
        )

    def accepts(self) -> Callable[[Hit], bool]:
        """Return what tells whether a hit touches what is asked for."""
        if self.path is None:
            return lambda _hit: True
        glob, seen = globbed(self.path), dict[str, bool]()

        def accept(hit: Hit) -> bool:
            for path in hit.metadata.get("files", ()):
                if path not in seen:
                    seen[path] = glob.match_file(path)
                if seen[path]:
                    return True
            return False

        return accept


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


# -- ranking --------------------------------------------------------------------------------------


def dense_share_of(asked: HistoryRequest) -> float:
    """Return the share of the dense score that suits *asked*."""
    return {"lexical": 0.0, "semantic": 1.0}.get(asked.mode, DENSE * dense_share(asked.query))


def ranked(
    asked: HistoryRequest, hits: Mapping[str, Hit], fused: Mapping[str, Fused]
) -> list[CommitHit]:
    """Return the best of *hits* for *asked*, best first, ties by hash; *fused* are their scores."""
    words = frozenset(query_terms(asked.query))
    names = query_names(asked.query)
    spelt = {one.lower().strip("./") for one in _WORD.findall(asked.query)}
    latest = max((hits[key].metadata["time"] for key in fused), default=0)
    found: list[tuple[float, str, dict[str, float]]] = []
    for key, one in fused.items():
        hit = hits[key]
        subject = hit.text.partition("\n")[0]
        days = (latest - hit.metadata["time"]) / 86_400
        parts = {
            "lexical": one.lexical,
            "dense": one.dense,
            "text": one.score,
            "subject": SUBJECT * _covered(words, analyse(subject)),
            "file": FILE * _files(words, spelt, hit.metadata["files"], hit.metadata["file_count"]),
            "change": CHANGE * _changed(words, hit.metadata["files"], hit.metadata["changes"]),
            "name": NAME * any(_spells(hit.text, name) for name in names),
            # Weak: it orders what is otherwise alike.
            "recency": RECENCY * 0.5 ** (days / HALF_LIFE_DAYS),
            "merge": MERGE_FACTOR if hit.metadata["parents"] > 1 else 1.0,
        }
        added = ("text", "subject", "file", "change", "name", "recency")
        score = math.fsum(parts[part] for part in added) * parts["merge"]
        found.append((-score, key, parts))
    found.sort(key=lambda entry: entry[:2])
    return [_hit(hits[key], -score, parts, words) for score, key, parts in found[: asked.limit]]


def _covered(words: frozenset[str], there: Sequence[str]) -> float:
    return len(words.intersection(there)) / len(words) if words else 0.0


def _files(words: frozenset[str], spelt: set[str], files: Sequence[str], file_count: int) -> float:
    """Return how clearly the query names a file that was touched, 0..1."""
    best = 0.0
    for path in files:
        lower = path.lower()
        name = lower.rpartition("/")[2]
        if name in spelt or any("/" in one and lower.endswith(one) for one in spelt):
            best = 1.0
            break
        stem = analyse(path.rpartition("/")[2].partition(".")[0])
        if stem:
            best = max(best, 0.6 * len(words.intersection(stem)) / len(set(stem)))
    return best / (1 + math.log10(max(1, file_count)))


def _changed(words: frozenset[str], files: Sequence[str], changes: str) -> float:
    """Return how clearly what the query says appeared or went is a path that did, 0..1."""
    asked = {letter for letter, said in _CHANGES.items() if not words.isdisjoint(said)}
    rest = words.difference(*_CHANGES.values())
    if not asked or not rest:
        return 0.0
    best = 0.0
    for path, change in zip(files, changes, strict=True):
        if change in asked:
            for part in path.split("/"):
                stem = frozenset(analyse(part.partition(".")[0]))
                shared = len(rest & stem)
                if shared:
                    best = max(best, shared / len(stem) * shared / len(rest))
    return best


def _spells(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _hit(hit: Hit, score: float, parts: Mapping[str, float], words: frozenset[str]) -> CommitHit:
    subject, _, body = hit.text.partition("\n")
    return CommitHit(
        sha=hit.id,
        short=hit.id[:SHORT_SHA],
        date=hit.metadata["date"],
        author=hit.metadata["author"],
        subject=subject,
        excerpt=excerpt(body.strip(), words),
        files=tuple(hit.metadata["files"]),
        file_count=hit.metadata["file_count"],
        parents=hit.metadata["parents"],
        score=score,
        parts=parts,
    )


def excerpt(body: str, words: frozenset[str], size: int = EXCERPT) -> str:
    """Return the paragraphs of *body* that have most of *words* (stemmed), in order.

    About *size* characters, whole paragraphs where one fits; `[...]` stands for what is left out.
    """
    if len(body) <= size:
        return body
    paragraphs = [one for one in body.split("\n\n") if one.strip()]
    order = sorted(
        range(len(paragraphs)),
        key=lambda place: (-_covered(words, analyse(paragraphs[place])), place),
    )
    kept: set[int] = set()
    left = size
    for place in order:
        if len(paragraphs[place]) <= left:
            kept.add(place)
            left -= len(paragraphs[place])
        elif not kept:
            paragraphs[place] = paragraphs[place][:size].rsplit(None, 1)[0] + " [...]"
            kept.add(place)
            break
    shown: list[str] = []
    for place, one in enumerate(paragraphs):
        if place in kept:
            shown.append(one)
        elif not shown or shown[-1] != "[...]":
            shown.append("[...]")
    return "\n\n".join(shown)
