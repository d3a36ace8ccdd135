"""What a query is: a name, a question or a long text, and how each is best looked for."""

from __future__ import annotations

import re
from typing import Final

from victor_memory.retrieval.text import STOP_WORDS, query_terms

DENSE_SHARE: Final = 0.6
LEAST_DENSE_SHARE: Final = 0.1
LEXICAL_POWER: Final = 0.8
"""Of the lexical score for a short query: a word said often in one chunk tells less than it scores.
In a long text many words agree, and the score is taken as it is."""
SHORT_QUERY: Final = 12
"""Terms up to which a query has one meaning; in a long text the words tell more."""
FEW_TERMS: Final = 5
MANY_TERMS: Final = 14
"""Between these a query turns from a question about files into a long text."""
REPEAT: Final = 0.65
LONG_REPEAT: Final = 0.9
"""For a long text, which is about places more than about files."""

_SEPARATOR: Final = re.compile(r"::|->|[.#:]")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|::|#|->)[A-Za-z_]\w*)*[?!]?")
_CAPITALISED: Final = re.compile(r"\b[A-Z][A-Za-z0-9]+\b")
_CODE_SHAPED: Final = re.compile(r"\w_\w|[a-z0-9][A-Z]|[A-Z]{2,}[a-z]|[.#:>]")


def dense_share(query: str) -> float:
    """Return the share of the dense score that suits *query*: less for a long one.

    >>> dense_share("where are tokens checked?"), dense_share("word " * 9)
    (0.6, 0.6)
    """
    count = len(query_terms(query))
    return max(LEAST_DENSE_SHARE, DENSE_SHARE * min(1.0, SHORT_QUERY / max(1, count)))


def lexical_power(query: str) -> float:
    """Return the power of the lexical score that suits *query*: 1 for a long one.

    >>> lexical_power("where are tokens checked?")
    0.8
    >>> lexical_power("one two six ten red blue green pink dog cat cow sky sun moon star sea")
    1.0
    """
    return LEXICAL_POWER + (1 - LEXICAL_POWER) * _length(query)


def query_names(query: str) -> frozenset[str]:
    """Return the identifiers that *query* spells out: words that look like code, or its only word.

    >>> sorted(query_names("how does HTTPServer.close_all work"))
    ['close_all']
    """
    words = _IDENTIFIER.findall(query)
    alone = len(query.split()) == 1
    return frozenset(
        name
        for one in words
        if (alone or _CODE_SHAPED.search(one.strip("_")))
        and len(name := bare(one)) > 1  # not the g of e.g.
    )


def bare(name: str) -> str:
    """Return the last part of a qualified *name*.

    >>> bare("Session.retry!"), bare("io::Reader")
    ('retry', 'Reader')
    """
    return _SEPARATOR.split(name)[-1].rstrip("?!")


def capitalised(query: str) -> frozenset[str]:
    """Return the words of *query* that begin with a capital, as the names of types do."""
    return frozenset(one for one in _CAPITALISED.findall(query) if one.lower() not in STOP_WORDS)


def asks(query: str) -> bool:
    """Return whether *query* says what is looked for, instead of naming it in one word."""
    return len(query.split()) > 1


def repeat(query: str) -> float:
    """Return how much each further chunk of a file counts of what the one before does."""
    return REPEAT + (LONG_REPEAT - REPEAT) * _length(query)


def _length(query: str) -> float:
    """Return how far *query* is from a question about files, 0, to a long text, 1."""
    long = (len(query_terms(query)) - FEW_TERMS) / (MANY_TERMS - FEW_TERMS)
    return min(1.0, max(0.0, long))
