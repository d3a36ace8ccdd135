"""General English from WordNet's sources: words with their meanings, and sentences with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from static_training.code import Pair

PACKAGE: Final = "wordnet"
EXTENSIONS: Final = frozenset(
    """
    all act animal artifact attribute body change cognition communication competition consumption
    contact creation emotion event feeling food group location motion motive object perception
    person pert phenomenon plant possession ppl process quantity relation shape social state stative
    substance time tops weather
    """.split()
)
"""Of its source files, such as `noun.food`."""
LARGEST: Final = 4_000_000
"""Bytes of such a file."""
SYNSET: Final = re.compile(r"^\{ (.*?)\((.*)\) ?\}\s*$")
LEMMA: Final = re.compile(r"(?:^|\s)([A-Za-z][\w'./-]*?)(?:\d+)?,(?=\s|$)")
EXAMPLE: Final = re.compile(r"\"([^\"]{12,300})\"")
SHORTEST: Final = 12


def pairs(text: str, file: str) -> Iterator[Pair]:
    """Yield (words, their meaning) and (meaning, a sentence with the word) of a `dbfiles` file."""
    for line in text.splitlines():
        synset = SYNSET.match(line)
        if not synset:
            continue
        words = ", ".join(x.replace("_", " ") for x in LEMMA.findall(synset[1]))
        gloss = synset[2].split('"')[0].strip(" ;:")
        examples = EXAMPLE.findall(synset[2])
        if len(gloss) >= SHORTEST and words:
            yield Pair("meaning", "english", words, "; ".join([gloss, *examples]), words, file)
        for example in examples:
            if len(example.split()) >= 4:  # noqa: PLR2004 - fewer words are a phrase
                yield Pair("use", "english", f"{words}: {gloss}", example, words, file)
