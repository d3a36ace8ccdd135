"""What can be asked of the code, checked before anything is done for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from pathspec import GitIgnoreSpec

from victor_memory.codebase.languages import check_language
from victor_memory.errors import InvalidRequestError
from victor_memory.filters import Filter, all_of, where

if TYPE_CHECKING:
    from victor_memory.codebase.found import FoundChunk

Mode: TypeAlias = Literal["hybrid", "semantic", "lexical", "symbol", "related"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
MAX_LIMIT: Final = 1000
LEAST_BUDGET: Final = 50
"""Tokens: less would not hold a result."""
KINDS: Final = frozenset(
    "function method class struct interface trait enum module type constant variable macro heading"
    " key".split()
)
_PLACE: Final = re.compile(r"(?P<path>.+?)(?::(?P<start>\d+)(?:-(?P<end>\d+))?)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A checked request: construct it with `SearchRequest.of`."""

    query: str
    limit: int = 10
    mode: Mode = "hybrid"
    path: str | None = None
    language: str | None = None
    kind: str | None = None
    symbol: str | None = None
    budget: int | None = None

    @classmethod
    def of(
        cls,
        query: str,
        *,
        limit: int = 10,
        mode: str = "hybrid",
        path: str | None = None,
        language: str | None = None,
        kind: str | None = None,
        symbol: str | None = None,
        budget: int | None = None,
        languages: frozenset[str] = frozenset(),
    ) -> SearchRequest:
        """Return the request if it can be answered; *languages* are known beside the built-in ones.

        Raises:
            InvalidRequestError: it cannot; the message names the argument and the next step.

        """
        check_question(query, limit, "Say what to look for, in plain words or names.")
        if budget is not None and (
            isinstance(budget, bool) or not isinstance(budget, int) or budget < LEAST_BUDGET
        ):
            msg = f"budget is {budget!r}; give at least {LEAST_BUDGET} tokens, or none at all."
            raise InvalidRequestError(msg)
        if path is not None:
            globbed(path)
        if language is not None:
            language = check_language(language, languages)
        if kind is not None and kind not in KINDS:
            msg = f"There is no kind {kind!r}. Use one of: {', '.join(sorted(KINDS))}."
            raise InvalidRequestError(msg)
        if symbol is not None and not symbol.strip():
            msg = "symbol is empty. Name a function, a class or a method as 'Client.get'."
            raise InvalidRequestError(msg)
        for known in MODES:
            if mode == known:
                return cls(query, limit, known, path, language, kind, symbol, budget)
        msg = f"There is no search mode {mode!r}. Use one of: {', '.join(MODES)}."
        raise InvalidRequestError(msg)

    def place(self) -> tuple[str, int, int | None]:
        """Return the path and lines that a `related` query names: `path`, `path:12`, `path:12-30`.

        Without lines it is the whole file: from line 1 to `None`.
        """
        found = _PLACE.fullmatch(self.query.strip())
        assert found is not None
        path = found["path"].replace("\\", "/").removeprefix("./")
        if found["start"] is None:
            return path, 1, None
        start = int(found["start"])
        return path, start, int(found["end"] or start)

    def condition(self) -> Filter | None:
        """Return what a store can check of the request."""
        return all_of(
            None if self.path is None else _prefix(self.path),
            None if self.language is None else where("language", "=", self.language),
        )

    def accepts(self) -> Callable[[FoundChunk], bool] | None:
        """Return what tells whether a chunk is wanted; `None` if every chunk is."""
        tests: list[Callable[[FoundChunk], bool]] = []
        if self.path is not None:
            glob, seen = globbed(self.path), dict[str, bool]()

            def in_glob(one: FoundChunk) -> bool:
                if one.path not in seen:
                    seen[one.path] = glob.match_file(one.path)
                return seen[one.path]

            tests.append(in_glob)
        if self.language is not None:
            tests.append(lambda one: one.language == self.language)
        if self.kind is not None:
            tests.append(lambda one: self.kind in one.kinds)
        if self.symbol is not None:
            wanted = self.symbol.strip()
            tests.append(lambda one: any(likeness(wanted, name) == 1.0 for name in one.names()))
        return (lambda one: all(test(one) for test in tests)) if tests else None


def check_question(query: object, limit: object, advice: str) -> None:
    """Check what every search is given; *advice* is the next step for an empty query.

    Raises:
        InvalidRequestError: the query is empty, or the limit is no number of results.

    """
    if not isinstance(query, str) or not query.strip():
        msg = f"The query is empty. {advice}"
        raise InvalidRequestError(msg)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        msg = f"limit is {limit!r}; ask for 1 to {MAX_LIMIT} results."
        raise InvalidRequestError(msg)


def likeness(wanted: str, name: str) -> float:
    """Return how well the qualified *name* is what *wanted* names, 0..1.

    >>> likeness("get", "Client.get"), likeness("Client.get", "http.Client.get")
    (1.0, 1.0)
    >>> likeness("client", "Client"), likeness("Clie", "Client"), likeness("get", "target")
    (0.8, 0.5, 0.0)
    """
    asked, given = _parts(wanted), _parts(name)
    if not asked:
        return 0.0
    if given[-len(asked) :] == asked:
        return 1.0
    asked, given = [one.lower() for one in asked], [one.lower() for one in given]
    if given[-len(asked) :] == asked:
        return 0.8
    last = given[-1] if given else ""
    shortest = 3
    return 0.5 if len(asked[-1]) >= shortest and last.startswith(asked[-1]) else 0.0


def _parts(name: str) -> list[str]:
    return [one for one in re.split(r"::|->|[.#:/]", name.strip().rstrip("()?!")) if one]


def globbed(path: str) -> GitIgnoreSpec:
    """Return what matches the glob *path*, in git's syntax.

    Raises:
        InvalidRequestError: it is no glob, or one that matches nothing.

    """
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
