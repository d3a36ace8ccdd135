"""What holds still: which memories newer ones took the place of, and which rest on what changed.

Nothing of this is ever written into a memory. That it is superseded is said by the newer one
(`supersedes`), or follows from what both say (`amended`); that it is stale, by the files and the
repository as they are now.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from victor_memory.conversation import statements
from victor_memory.conversation.parts import whole_id
from victor_memory.conversation.records import Memory, from_record
from victor_memory.conversation.selecting import Source, age, fetch
from victor_memory.errors import InvalidRequestError
from victor_memory.filters import And, Filter, where
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.retrieval.text import query_terms

ABOUT_THE_SAME: Final = 0.25
"""Weighted cosine of two texts' terms from which one of them can amend the other. Of a set of 206
developer chats and commits, all six pairs of a decision and its amendment lie above; it was chosen
on them."""
DIGEST: Final = 16
"""Hexadecimal digits of the SHA-256 of a file, in a link to it."""
GIT_TIMEOUT: Final = 10.0

_DECISION: Final = (
    "(?:rule|policy|policies|decision|plan|choice|approach|convention|limit|cap|design|agreement|"
    "spec|requirement|guideline)s?"
)
_AMENDS: Final = re.compile(
    r"\b(?:supersed(?:e|es|ed|ing)|amend(?:s|ed|ing|ments?)?|overrul(?:e|es|ed|ing)|"
    r"no longer (?:holds?|valid|true|appl(?:y|ies)|the case)|"
    r"(?:replac(?:e|es|ed|ing)|overrid(?:e|es|ing|den)|revers(?:e|es|ed|ing)|revis(?:e|es|ed|ing)|"
    r"revert(?:s|ed|ing)?|revisit(?:s|ed|ing)?|chang(?:e|es|ed|ing)|updat(?:e|es|ed|ing)|"
    r"revision|drop(?:s|ped|ping)?|scrap(?:s|ped|ping)?|undo(?:es|ing)?) (?:to |of |on )?"
    rf"(?:the|our|that|this|my|his|her) (?:[\w-]+ ){{0,3}}?{_DECISION}|"
    rf"(?:old|earlier|previous|prior|original|former|outdated) (?:[\w-]+ ){{0,2}}?{_DECISION}|"
    rf"(?:{_DECISION}|what) (?:that )?(?:we|i|you|they) (?:had )?"
    r"(?:settled|decided|agreed|chose|made|picked)|"
    r"changed (?:our|my|their|his|her) minds?|on second thoughts?|scratch that|from now on|"
    r"going forward|as of now)\b",
    re.IGNORECASE,
)
"""How a text announces that it changes what was decided before."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """One memory, and what there is to know about whether it still holds."""

    memory: Memory
    newer: tuple[Memory, ...]
    """What took its place, each what took the place of the one before: the last one holds."""
    older: tuple[Memory, ...]
    """What it took the place of, and what that did, newest first."""
    linked: tuple[Memory, ...]
    """The turns and notes it comes from, as far as they are still there."""
    stale: tuple[str, ...]
    """Why what it rests on is no longer what it was."""


async def trace(source: Source, identifier: str, root: Path | None = None) -> Lineage | None:
    """Return the memory *identifier* of *source* with its history; `None` if it is not there."""
    found = await fetch(source, [identifier])
    if not found:
        return None
    (memory,) = found
    newer_of = await links(*source)
    chain = [memory.id]
    while (after := newer_of.get(chain[-1])) and after not in chain:
        chain.append(after)
    earlier: dict[str, Memory] = {}
    wanted = memory.supersedes
    while wanted:
        some = [one for one in await fetch(source, wanted) if one.id not in earlier]
        earlier.update((one.id, one) for one in some)
        wanted = tuple(old for one in some for old in one.supersedes)
    return Lineage(
        memory,
        tuple(await fetch(source, chain[1:])),
        tuple(sorted(earlier.values(), key=age, reverse=True)),
        tuple(await fetch(source, memory.links)),
        (await stale([memory], root)).get(memory.id, ()),
    )


async def superseded(
    provider: BaseEmbeddingProvider, owner: Filter, ids: Iterable[str]
) -> dict[str, str]:
    """Return those of *ids* that a memory of *owner* names as superseded, with that one's id."""
    wanted = {whole_id(one) for one in ids}
    found = await links(provider, owner) if wanted else {}
    return {old: new for old, new in found.items() if old in wanted}


async def links(provider: BaseEmbeddingProvider, owner: Filter) -> dict[str, str]:
    """Return every memory of *owner* that another names as superseded, with that one's id."""
    # Only notes supersede. The store looks at every record: the cheap condition comes first.
    naming = And((where("kind", "!=", "turn"), where("supersedes", "exists")))
    return replaced(
        [
            from_record(one)
            async for batch in provider.scan(naming)
            for one in batch
            if owner.matches(one.metadata)
        ]
    )


def replaced(newer: Iterable[Memory]) -> dict[str, str]:
    """Return what the memories *newer* supersede, with the id of the newest that says so."""
    found: dict[str, str] = {}
    for one in sorted(newer, key=age):
        found.update(dict.fromkeys(one.supersedes, whole_id(one.id)))
    return found


def latest(identifier: str, newer_of: Mapping[str, str]) -> str:
    """Return the last memory that *identifier* leads to in what `links` returned."""
    seen = {identifier}
    while (newer := newer_of.get(identifier)) and newer not in seen:
        seen.add(newer)
        identifier = newer
    return identifier


def amended(candidates: Sequence[Memory]) -> dict[str, str]:
    """Return which of *candidates* another, newer one changes, with that one's id.

    Nothing links them but what they say: the newer one states another value of the same, or
    announces that it changes something and is about the same. That is likely, not certain: show the
    newer one first, but do not hide the older. Works on turns and notes alike; parts of one text
    are read together.
    """
    by_id: dict[str, list[Memory]] = {}
    for one in candidates:
        by_id.setdefault(whole_id(one.id), []).append(one)
    texts = [_Text(parts) for parts in sorted(by_id.values(), key=lambda parts: age(parts[0]))]
    if not any(one.announces or one.stated for one in texts):
        return {}
    spread = Counter(term for one in texts for term in one.terms)
    weights = {term: math.log(1 + len(texts) / count) for term, count in spread.items()}
    found: dict[str, str] = {}
    for at, new in enumerate(texts):
        for old in texts[:at]:
            if _earlier(old.memory, new.memory) and _amends(old, new, weights):
                found[whole_id(old.memory.id)] = whole_id(new.memory.id)
    return found


class _Text:
    """What is compared of a text: *parts* are those of it that were found."""

    def __init__(self, parts: Sequence[Memory]) -> None:
        self.memory = parts[0]
        self.announces = any(_announces(one.text) for one in parts)
        """Whether it says that it changes a decision."""
        short = len(parts) == 1 and parts[0].parts == 1 and len(parts[0].text) <= _SHORT
        self.stated = statements.read(parts[0].text) if short else None
        self.words = frozenset(self.stated.words if self.stated else ())
        self.terms = frozenset(term for one in parts for term in _query_terms(one.text))


_SHORT: Final = 8 * statements.LONGEST
"""Characters of a text that may be one statement."""
_SHARED: Final = 2
"""Words that two statements about the same have in common, at least."""


def _amends(old: _Text, new: _Text, weights: Mapping[str, float]) -> bool:
    if new.announces:
        return _alike(old.terms, new.terms, weights)
    if old.stated is None or new.stated is None or len(old.words & new.words) < _SHARED:
        return False
    said = old.memory.kind == new.memory.kind == "turn"
    # Much is said in passing that looks like another value: turns must be about the same as well.
    return statements.supersedes(old.stated, new.stated) and (
        not said or _alike(old.terms, new.terms, weights)
    )


@lru_cache(maxsize=4096)
def _announces(text: str) -> bool:
    return _AMENDS.search(text) is not None


@lru_cache(maxsize=4096)
def _query_terms(text: str) -> tuple[str, ...]:
    return query_terms(text)


def _alike(one: frozenset[str], other: frozenset[str], weights: Mapping[str, float]) -> bool:
    shared = sum(weights[term] for term in one & other)
    sizes = sum(weights[term] for term in one), sum(weights[term] for term in other)
    return shared >= ABOUT_THE_SAME * math.sqrt(sizes[0] * sizes[1]) > 0


def _earlier(old: Memory, new: Memory) -> bool:
    """Whether *old*, which comes first by `age`, was certainly said before *new*."""
    return old.created_at != new.created_at or (
        old.session == new.session
        and old.index is not None
        and new.index is not None
        and old.index < new.index
    )


# -- files and commits ----------------------------------------------------------------------------


def file_link(root: Path, path: str) -> str:
    """Return the link to the file *path*, relative to *root* or absolute, as it is now.

    A link is the path relative to *root*, in POSIX style, `@`, and the first 16 hexadecimal digits
    of the SHA-256 of the file's bytes. What is a link already is returned as it is.

    Raises:
        InvalidRequestError: there is no such file below *root*, or it cannot be read.

    """
    if _LINK.search(path):
        return path
    try:
        place = (root / Path(path).expanduser()).resolve()
        name = place.relative_to(root.resolve()).as_posix()
        return f"{name}@{_digest(place)}"
    except (OSError, RuntimeError, ValueError) as exc:
        msg = (
            f"The file {path!r} cannot be linked: {exc}. Name a file below {str(root)!r}, or give "
            f"it as path@digest with {DIGEST} hexadecimal digits."
        )
        raise InvalidRequestError(msg) from exc


async def stale(candidates: Sequence[Memory], root: Path | None) -> dict[str, tuple[str, ...]]:
    """Return why each of *candidates* that rests on something that changed does, by its id.

    Files are compared with those below *root*, commits with the history of its repository. Without
    *root*, and for memories without links, nothing is known and nothing is read.
    """
    # What the user has in all projects rests on no file of this one.
    linked = [one for one in candidates if (one.files or one.commits) and one.scope != "user"]
    if root is None or not linked:
        return {}
    return await asyncio.to_thread(_stale, linked, root)


_LINK: Final = re.compile(rf"@[0-9a-f]{{{DIGEST}}}$")


def _stale(linked: Sequence[Memory], root: Path) -> dict[str, tuple[str, ...]]:
    files = {link: _file_changed(link, root) for one in linked for link in one.files}
    gone = _gone_commits(sorted({commit for one in linked for commit in one.commits}), root)
    found: dict[str, tuple[str, ...]] = {}
    for one in linked:
        reasons = [reason for link in one.files if (reason := files[link])]
        reasons += [
            f"commit {commit[:12]} is in no branch any more"
            for commit in one.commits
            if commit in gone
        ]
        if reasons:
            found[one.id] = tuple(reasons)
    return found


def _file_changed(link: str, root: Path) -> str | None:
    path, _, digest = link.rpartition("@") if _LINK.search(link) else (link, "", "")
    place = root / path
    try:
        if digest and _digest(place) != digest:
            return f"{path} has changed"
        return None if place.exists() else f"{path} is gone"
    except OSError:
        return f"{path} is gone"


def _digest(place: Path) -> str:
    """Return the digest of a file; it is read again only if its size or times are others."""
    status = place.stat()
    return _read_digest(place, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@lru_cache(maxsize=4096)
def _read_digest(place: Path, *_state: int) -> str:
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGEST]


def _gone_commits(commits: Sequence[str], root: Path) -> set[str]:
    """Return which *commits* no branch or tag of the repository reaches; none if git cannot say."""
    if not commits:
        return set()
    known = _git(root, "rev-parse", "--git-dir")
    if known is None:
        return set()
    kept = _git(root, "cat-file", "--batch-check=%(objectname)", given="\n".join(commits) + "\n")
    if kept is None:
        return set()
    names = dict(zip(commits, kept.splitlines(), strict=False))
    gone = {one for one, name in names.items() if name.endswith((" missing", " ambiguous"))}
    there = [name for one, name in names.items() if one not in gone]
    if there:
        lost = _git(root, "rev-list", *there, "--not", "--all", "HEAD")
        unreachable = set((lost or "").split())
        gone |= {one for one, name in names.items() if name in unreachable}
    return gone


def _git(root: Path, *arguments: str, given: str | None = None) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, and names of objects
            ["git", "-C", str(root), *arguments],  # noqa: S607 - the user's git
            input=given,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            timeout=GIT_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
