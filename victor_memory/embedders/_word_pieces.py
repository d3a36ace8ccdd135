"""Word pieces of many texts, each word tokenised once: several times faster than text by text.

Code and conversations are made of few words, said often. Where a tokenizer treats each word without
regard to its neighbours, the pieces of a text are those of its words in their order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tokenizers import Tokenizer

WORD_INSIDE_WORD: Final = "(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
"""Where a word begins inside an identifier: `camelCase`, `HTTPServer`. It looks at letters only."""
WORDS_KEPT: Final = 100_000
LONGEST_KEPT: Final = 40
"""Characters of a word that is kept; longer ones are rarely said twice."""
BATCH: Final = 128
"""Texts tokenised at once: enough to keep every core busy."""

_PLAIN: Final = re.compile(r"[ -~\t\n\r]*")
_PRINTABLE: Final = re.compile(r"[!-~]+")
_BLANKS: Final = re.compile(r"[ \t\n\r]+")
_UNITS: Final = re.compile(r"[A-Za-z0-9]+|[^A-Za-z0-9\s]+")


class WordPieces:
    """Turns texts into the ids that *tokenizer* gives them; may be used by several threads."""

    def __init__(self, tokenizer: Tokenizer, described: Mapping[str, Any] | None = None) -> None:
        """Use *tokenizer*, which is as *described* in its file, if that is at hand."""
        self._tokenizer = tokenizer
        if described is None:
            described = json.loads(tokenizer.to_str())
        self._by_word = _knows_words_only(described)
        self._special = [one["content"] for one in described.get("added_tokens") or ()]
        self._known: dict[str, Sequence[int]] = {}

    def ids(self, texts: Sequence[str]) -> Iterator[npt.NDArray[np.int64]]:
        """Yield the ids of each text's pieces, without special tokens at its ends."""
        import numpy as np

        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            if self._by_word and not any(one in text for text in batch for one in self._special):
                words = [_words(text) for text in batch]
                yield from _replaced(words, self._pieces(set(chain.from_iterable(words))))
            else:
                for one in self._encode(batch):
                    yield np.array(one, dtype=np.int64)

    def _pieces(self, words: set[str]) -> Mapping[str, Sequence[int]]:
        known = self._known
        new = [word for word in words if word not in known]
        if not new:
            return known
        pieces = dict(zip(new, self._encode(new), strict=True))
        if len(known) + len(new) > WORDS_KEPT:
            # Another thread may still read the old ones, so they are left as they are.
            self._known = known = {word: known[word] for word in words if word in known}
        short = {word: ids for word, ids in pieces.items() if len(word) <= LONGEST_KEPT}
        known.update(short)
        if len(short) == len(pieces):
            return known
        return {word: pieces[word] if word in pieces else known[word] for word in words}

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [one.ids for one in encodings]


def _replaced(
    texts: Sequence[Sequence[str]], known: Mapping[str, Sequence[int]]
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield each of *texts*, which are lists of words, with all words replaced by their pieces."""
    import numpy as np

    # One number for each word, then arrays: a list of the pieces of each text takes twice as long.
    numbers = {word: number for number, word in enumerate(set(chain.from_iterable(texts)))}
    pieces = [known[word] for word in numbers]
    sizes = np.fromiter(map(len, pieces), np.int64, len(pieces))
    starts = np.cumsum(sizes) - sizes
    flat = np.fromiter(chain.from_iterable(pieces), np.int64, int(sizes.sum()))
    lengths = [len(words) for words in texts]
    said = np.fromiter(map(numbers.__getitem__, chain.from_iterable(texts)), np.int64, sum(lengths))
    counts = sizes[said]
    ends = np.concatenate([[0], np.cumsum(counts)])
    ids = flat[np.repeat(starts[said] - ends[:-1], counts) + np.arange(ends[-1])]
    for start, end in pairwise(ends[np.cumsum([0, *lengths])]):
        yield ids[start:end]


def _words(text: str) -> list[str]:
    """Return the parts of *text* that a BERT tokenizer cuts independently of each other."""
    if _PLAIN.fullmatch(text):
        return _UNITS.findall(text)
    # Beyond ASCII a mark may belong to the letter before it, and control characters vanish.
    words: list[str] = []
    for word in _BLANKS.split(text):
        if _PRINTABLE.fullmatch(word):
            words += _UNITS.findall(word)
        elif word:
            words.append(word)
    return words


def _knows_words_only(described: Mapping[str, Any]) -> bool:
    """Whether the tokenizer described splits at blanks and punctuation before anything else."""
    normalizer = described.get("normalizer") or {}
    steps = normalizer.get("normalizers", [normalizer])
    return (
        described["model"]["type"] == "WordPiece"
        and (described.get("pre_tokenizer") or {}).get("type") == "BertPreTokenizer"
        and all(_is_local(step) for step in steps)
        and described.get("truncation") is None
        and described.get("padding") is None
    )


def _is_local(step: Mapping[str, Any]) -> bool:
    if step.get("type") == "Replace":
        return bool(step["pattern"] == {"Regex": WORD_INSIDE_WORD} and step["content"] == " ")
    return bool(step.get("type") == "BertNormalizer" and step["clean_text"])
