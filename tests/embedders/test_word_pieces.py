"""Tokenising word by word gives what tokenising whole texts gives."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

from victor_memory.embedders import _word_pieces
from victor_memory.embedders._word_pieces import WordPieces
from victor_memory.embedders.static import BUNDLED

TOKENIZER = Tokenizer.from_file(str(BUNDLED / "tokenizer.json"))
SHARED = WordPieces(TOKENIZER)


def whole(texts: list[str], tokenizer: Tokenizer = TOKENIZER) -> list[list[int]]:
    return [one.ids for one in tokenizer.encode_batch(texts, add_special_tokens=False)]


def by_words(texts: list[str], pieces: WordPieces = SHARED) -> list[list[int]]:
    return [list(ids) for ids in pieces.ids(texts)]


def changed(**parts: object) -> Tokenizer:
    other = Tokenizer.from_file(str(BUNDLED / "tokenizer.json"))
    for name, value in parts.items():
        setattr(other, name, value)
    return other


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), max_size=4))
def test_any_text(texts: list[str]) -> None:
    assert by_words(texts) == whole(texts)


@given(st.text("aZ9_. -é\u0301ß\u00a0\x0b\x00\t\n\r漢\u200d\u0130[UNK]", max_size=40))
def test_characters_that_tokenizers_treat_in_ways_of_their_own(text: str) -> None:
    assert by_words([text]) == whole([text])


def test_code() -> None:
    texts = [path.read_text("utf-8") for path in Path(_word_pieces.__file__).parent.glob("*.py")]
    assert len(texts) > 5
    assert by_words(texts) == whole(texts)


def test_special_tokens_in_a_text() -> None:
    texts = ["a [UNK] b", "[PAD]", "[UNKnown]"]
    assert by_words(texts) == whole(texts)


def test_what_is_known_is_bounded_and_stays_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_word_pieces, "WORDS_KEPT", 20)
    pieces = WordPieces(TOKENIZER)
    for number in range(50):
        texts = [f"word{number} stays, other{number}({'x' * 60}) said twice"]
        assert by_words(texts, pieces) == whole(texts)
        assert len(pieces._known) < 40
        assert all(len(word) <= _word_pieces.LONGEST_KEPT for word in pieces._known)


@pytest.mark.parametrize(
    "other",
    [
        changed(normalizer=normalizers.Replace(Regex("the cat"), "dog")),
        changed(normalizer=normalizers.BertNormalizer(clean_text=False)),
        changed(pre_tokenizer=pre_tokenizers.Whitespace()),
    ],
)
def test_a_tokenizer_that_looks_at_neighbours_gets_whole_texts(other: Tokenizer) -> None:
    texts = ["the cat sat on the_cat's mat", "naïve\x0b text"]
    assert by_words(texts, WordPieces(other)) == whole(texts, other)


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_word_pieces, "WORDS_KEPT", 50)
    pieces = WordPieces(TOKENIZER)
    wrong: list[str] = []

    def work(name: int) -> None:
        for number in range(200):
            texts = [f"thread{name} said{number} something{number % 7} again"]
            if by_words(texts, pieces) != whole(texts):
                wrong.extend(texts)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong
