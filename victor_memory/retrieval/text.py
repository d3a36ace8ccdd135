"""Code-aware terms: the one analysis that every store's full-text index and every query go through.

Identifiers are kept whole and split into their words (`parseHTTPHeader`, `parse_http_header` and
"parse HTTP headers" share terms), words are stemmed (Porter's English stemmer, "Snowball"), and
runs of Chinese, Japanese or Korean characters become overlapping pairs, since they have no spaces.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from threading import Lock
from typing import Final

import Stemmer

MAX_TERM_LENGTH: Final = 64
"""Longer words are hashes, keys or encoded data: nobody searches for them by meaning."""

MAX_KNOWN_WORDS: Final = 200_000
"""Words whose terms are remembered, before they are forgotten all at once."""

STOP_WORDS: Final = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "me",
        "my",
        "of",
        "on",
        "or",
        "our",
        "should",
        "so",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)
"""Words that carry no meaning in a question; they are indexed, but not searched for."""

_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD: Final = re.compile(rf"[{_CJK}]+|[^\W{_CJK}]+")
_ASCII_WORD: Final = re.compile(r"[A-Za-z0-9_]+")
_PART: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_A-Za-z]+")
_CJK_RUN: Final = re.compile(rf"[{_CJK}]+")
_STEMMER: Final = Stemmer.Stemmer("english")
_STEMMING: Final = Lock()
"""A stemmer is for one thread at a time, and texts are analysed in several."""


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the stem of a lower-case *word*; words that are not ASCII letters are unchanged."""
    if len(word) > 3 and word.isascii() and word.isalpha():  # noqa: PLR2004 - shorter words have no suffix
        with _STEMMING:
            return str(_STEMMER.stemWord(word))
    return word


_STOPPED: Final = frozenset(map(stem, STOP_WORDS))


@lru_cache(maxsize=65536)
def split_identifier(word: str) -> tuple[str, ...]:
    """Return the lower-case words inside an identifier, in order.

    >>> split_identifier("parseHTTPHeader_v2")
    ('parse', 'http', 'header', 'v', '2')
    """
    return tuple(part.lower() for part in _PART.findall(word))


@lru_cache(maxsize=65536)
def _word_terms(word: str) -> tuple[str, ...]:
    if _CJK_RUN.fullmatch(word):
        return tuple(word[i : i + 2] for i in range(max(1, len(word) - 1)))
    parts = split_identifier(word)
    whole = word.strip("_").replace("_", "").lower()
    if len(whole) > MAX_TERM_LENGTH or not whole:
        return ()
    if len(parts) <= 1:
        return (stem(whole),)
    # The whole identifier is a term too, so that an exact name outranks its scattered words.
    return (whole, *(stem(part) for part in parts))


class _Joined(dict[str, str]):
    """The terms of a word, joined: a dictionary, because it is asked for every word of the code."""

    def __missing__(self, word: str) -> str:
        self[word] = joined = " ".join(_word_terms(word))
        return joined


_JOINED: Final = _Joined()


def _words(text: str) -> list[str]:
    if text.isascii():
        return _ASCII_WORD.findall(text)  # the same words in half the time
    return _WORD.findall(unicodedata.normalize("NFKC", text))


def analyse(text: str) -> list[str]:
    """Return the terms of *text* in order, with repetitions."""
    found: list[str] = []
    for word in _words(text):
        found.extend(_word_terms(word))
    return found


def index_terms(text: str) -> str:
    """Return the terms of *text* as a store indexes them: one string, single spaces between."""
    if len(_JOINED) > MAX_KNOWN_WORDS:
        _JOINED.clear()
    return " ".join(filter(None, map(_JOINED.__getitem__, _words(text))))


def query_terms(text: str) -> tuple[str, ...]:
    """Return the distinct terms to search for, in order; stop words only if there are no others."""
    found = dict.fromkeys(analyse(text))
    useful = tuple(term for term in found if term not in _STOPPED)
    return useful or tuple(found)
