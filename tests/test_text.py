"""Terms: identifiers are split and kept, words stemmed, every script has words."""

# ruff: noqa: RUF001 - characters that look like others are the point

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_memory.retrieval.text import (
    MAX_TERM_LENGTH,
    STOP_WORDS,
    analyse,
    index_terms,
    query_terms,
    split_identifier,
    stem,
)


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("parseHTTPHeader", ("parse", "http", "header")),
        ("parse_http_header", ("parse", "http", "header")),
        ("ParseHttpHeader", ("parse", "http", "header")),
        ("HTTP", ("http",)),
        ("HTTPServer2", ("http", "server", "2")),
        ("x1y2", ("x", "1", "y", "2")),
        ("MAX_SIZE", ("max", "size")),
        ("__init__", ("init",)),
        ("größeÄndern", ("gr", "öß", "e", "ä", "ndern")),
        ("_", ()),
        ("", ()),
    ],
)
def test_split_identifier(word, parts):
    assert split_identifier(word) == parts


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("tokens", "token"),
        ("running", "run"),
        ("sessions", "session"),
        ("classes", "class"),
        ("the", "the"),
        ("größe", "größe"),
        ("v2", "v2"),
    ],
)
def test_stem(word, expected):
    assert stem(word) == expected


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Tokens, sessions!", ["token", "session"]),
        ("parseHTTPHeader", ["parsehttpheader", "pars", "http", "header"]),
        ("parse_http_header", ["parsehttpheader", "pars", "http", "header"]),
        ("a b a", ["a", "b", "a"]),
        ("検索する", ["検索", "索す", "する"]),
        ("検", ["検"]),
        ("abc検索def", ["abc", "検索", "def"]),
        ("ｆｕｌｌ ｗｉｄｔｈ", ["full", "width"]),
        ("e\u0301te\u0301", analyse("été")),
        ("1.5e3", ["1", "5e3", "5", "e", "3"]),
        ("foo.bar(baz)", ["foo", "bar", "baz"]),
        ("__init__", ["init"]),
        ("", []),
        ("!?- 🧠 ...", []),
        ("___", []),
        ("x" * MAX_TERM_LENGTH, ["x" * MAX_TERM_LENGTH]),
        ("x" * (MAX_TERM_LENGTH + 1), []),
    ],
)
def test_analyse(text, terms):
    assert analyse(text) == terms


def test_forms_of_an_identifier_share_their_terms():
    forms = ("parseHTTPHeader", "parse_http_header", "ParseHttpHeader", "PARSE_HTTP_HEADER")
    assert len({tuple(analyse(form)) for form in forms}) == 1
    assert {*analyse("parse HTTP headers")} < {*analyse("parseHTTPHeader")}


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("how does the parser work", ("parser", "work")),
        ("parse the parsed parser", ("pars", "parser")),
        ("to be or not to be", ("not",)),
        ("the of and", ("the", "of", "and")),
        ("The THE", ("the",)),
        ("???", ()),
    ],
)
def test_query_terms(query, terms):
    assert query_terms(query) == terms


@pytest.mark.parametrize("word", sorted(STOP_WORDS))
def test_stop_words_are_not_searched_for(word):
    assert query_terms(f"{word} parser {word.upper()}") == ("parser",)


def test_index_terms_are_one_line():
    assert index_terms("Parse\nthe\ttokens") == "pars the token"


@given(st.text())
def test_terms_survive_being_joined(text):
    terms = analyse(text)
    assert index_terms(text).split() == terms
    assert all(term and len(term) <= 2 * MAX_TERM_LENGTH for term in terms)


@given(st.text())
def test_query_finds_its_own_text(text):
    assert {*query_terms(text)} <= {*analyse(text)}
    assert bool(query_terms(text)) is bool(analyse(text))


@pytest.mark.parametrize("text", ["a" * 500_000, "aB" * 250_000, "_" * 500_000, "検" * 500_000])
def test_no_text_takes_for_ever(text):
    start = time.perf_counter()
    analyse(text)
    assert time.perf_counter() - start < 5
