"""Pairs of every package, one file of JSON lines each, and the choice that training reads."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from static_training import changes, code, prose, wordnet
from static_training.archives import text_files
from static_training.code import Pair
from static_training.exclusions import SHORTEST, Exclusions, digest
from static_training.registries import Package

EXTENSIONS: Final = frozenset(code.BY_EXTENSION) | prose.EXTENSIONS
LEFT_OUT: Final = re.compile(
    r"/(?:tests?|testing|testdata|__tests__|spec|node_modules|third[_-]?party|vendor|_vendor|deps|"
    r"external|contrib|locales?|i18n|fixtures|examples?|benchmarks?|dist|umd|min)/|"
    r"\.min\.|\.d\.ts$|_test\.go$|\.pb\.|zz_generated",
    re.IGNORECASE,
)
"""Tests, what others wrote, and what programs wrote."""
MOST: Final = 40_000
"""Pairs of code of one package."""
BLOCK: Final = 16
LIMITS: Final = {
    "doc": 60_000,
    "chunk": 20_000,
    "path": 0,  # with them, documentation finds its function less often
    "about": 25_000,
    "type": 12_000,
    "name": 12_000,
    "comment": 25_000,
    "change": 12_000,
    "heading": 60_000,
    "cloze": 60_000,
    "meaning": 120_000,
    "use": 40_000,
}
"""Pairs of one kind and language that training reads."""

ASKING: Final = (
    "how does it",
    "how do I",
    "how is this done:",
    "where is the code that",
    "where is it handled:",
    "which function",
    "what does",
    "how to",
    "when did we",
    "what did you say about",
    "can you tell me about",
    "do you remember",
)
"""How people begin. Documentation does not, so the model would not learn to pass over it."""
ASKED: Final = 0.25
"""Share of questions that begin so."""


def extract(package: Package, archives: Sequence[Path], out: Path, excluded: Exclusions) -> int:
    """Write the pairs of *package* to *out* and return how many are of code.

    Each code is there once, and again for every change to it.
    """
    seen: set[bytes] = set()
    count = 0
    partial = out.with_suffix(".part")
    with partial.open("w", encoding="utf-8") as stream:
        for pair in _pairs(package, archives, excluded):
            key = digest(pair.answer)
            question = pair.question if len(pair.question) > SHORTEST else pair.answer
            again = key in seen and pair.kind != changes.KIND
            if again or excluded.text(pair.answer, question):
                continue
            seen.add(key)
            stream.write(json.dumps(pair) + "\n")
            count += pair.language != "english"
            if count >= MOST:
                break
    partial.rename(out)
    return count


def _pairs(package: Package, archives: Sequence[Path], excluded: Exclusions) -> Iterator[Pair]:
    if package.name == wordnet.PACKAGE:
        for archive in archives:
            for path, text in text_files(archive, wordnet.EXTENSIONS, wordnet.LARGEST):
                yield from wordnet.pairs(text, f"{package.name}:{path}")
        return
    changelogs = changes.Changelogs()
    for archive in archives:
        for path, text in text_files(archive, EXTENSIONS):
            if LEFT_OUT.search("/" + path) or excluded.path(path) or excluded.licence(text):
                continue
            for pair in _of_file(path, text, package.name):
                changelogs.saw(pair)
                yield pair
            changelogs.read(path, text, f"{package.name}:{path}")
    yield from changelogs.pairs()
    for archive in sorted(archives[0].parent.glob(changes.PATCHED)):
        for path, text in text_files(archive, changes.PATCHES):
            yield from changes.of_patch(text, f"{package.name}:{path}", excluded)


def _of_file(path: str, text: str, package: str) -> Iterator[Pair]:
    extension = path.rpartition(".")[2].lower()
    file = f"{package}:{path}"
    if extension in code.BY_EXTENSION:
        return code.pairs(text, code.BY_EXTENSION[extension], file)
    return prose.pairs(text, file)


def read(path: Path) -> list[Pair]:
    """Return the pairs that `extract` wrote to *path*."""
    with path.open(encoding="utf-8") as stream:
        return [Pair(*json.loads(line)) for line in stream]


def choose(files: Sequence[Path], held_out: Sequence[Path], seed: int = 5) -> list[Pair]:
    """Return the pairs of *files* to train on: of every kind and language at most its limit.

    Beyond it, blocks of 16 neighbours are drawn, so that what stays has its hard negatives. A code
    that two packages share is taken once (and for its changes), and none that stands in a
    *held_out* file.
    """
    generator = random.Random(seed)  # noqa: S311 - a choice to repeat, not to guard
    groups: defaultdict[tuple[str, str], list[Pair]] = defaultdict(list)
    kept_out = {digest(pair.answer) for file in held_out for pair in read(file)}
    seen: set[bytes] = set()
    for file in files:
        for pair in read(file):
            answer = digest(pair.answer)
            key = answer if pair.kind != changes.KIND else digest(pair.question + pair.answer)
            if answer not in kept_out and key not in seen:
                seen.add(key)
                groups[pair.language, pair.kind].append(pair)
    chosen: list[Pair] = []
    for group, found in sorted(groups.items()):
        blocks = [found[at : at + BLOCK] for at in range(0, len(found), BLOCK)]
        if len(found) > LIMITS[group[1]]:
            generator.shuffle(blocks)
            blocks = sorted(blocks[: LIMITS[group[1]] // BLOCK], key=lambda block: block[0].file)
        chosen.extend(pair for block in blocks for pair in block)
    return sorted(chosen, key=lambda pair: (pair.language, pair.file))


def questions(pairs: Sequence[Pair], seed: int = 11) -> list[str]:
    """Return what each of *pairs* asks, one in four after the words that people begin with."""
    generator = random.Random(seed)  # noqa: S311 - see above
    asked = []
    for pair in pairs:
        begins = generator.random() < ASKED and pair.kind not in {"name", "path", "meaning"}
        asked.append(f"{generator.choice(ASKING)} {pair.question}" if begins else pair.question)
    return asked


def sentences(pairs: Sequence[Pair], general: int, technical: int) -> list[str]:
    """Return texts whose likeness the teacher judges: of WordNet, and of documentation.

    Those of the smallest digests: an arbitrary choice that more packages hardly change.
    """
    meanings = {x.answer for x in pairs if x.kind in {"meaning", "use"}}
    described = {
        x.question for x in pairs if x.kind in {"doc", "type", "comment", "heading", "cloze"}
    }
    return [
        text
        for texts, most in ((meanings, general), (described, technical))
        for text in sorted(texts, key=digest)[:most]
    ]
