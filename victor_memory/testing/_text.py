"""Promises on full-text search: words are found, rare ones count more, nothing is stale."""

from __future__ import annotations

from typing import Final

import pytest

from victor_memory.errors import InvalidRequestError
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.testing._data import ids, record, unit, word
from victor_memory.testing._harness import Promises, promise
from victor_memory.types import Hit, Record

SYNTAX: Final = {
    '"unbalanced apple': ["a"],
    "AND": [],
    "apple AND NOT (pear": ["a"],
    "text:apple": ["a"],
    "apple* ?pple": ["a"],
    "NEAR(apple, 3)": ["a"],
    "+apple -pear ~plum^3": ["a"],
    "-apple": ["a"],
    "/app.*/": [],
    "app*": [],
    "apple\\": ["a"],
    "apple'; DROP TABLE embeddings; --": ["a"],
    "apple:*": ["a"],
    "{apple} [x TO y]": ["a"],
    "apple | pear & !plum": ["a"],
    "100% x_y": [],
    "apple\0pear": ["a"],
    "x" * 5000: [],
    "apple " * 2000: ["a"],
    " ".join(f"word{n}" for n in range(1500)): [],
}
"""What finds "an apple a day" although one engine or another would see operators, or too much."""


class TextPromises(Promises):
    """Search by words."""

    @promise()
    async def test_words_are_found(self, provider: BaseEmbeddingProvider) -> None:
        """A record is found by each of its words, in any case and in other forms of the word."""
        await provider.upsert(
            [
                record("jwt", "We chose JWT tokens over sessions."),
                record("cake", "The recipe needs three eggs."),
            ]
        )
        for query in ("jwt", "token", "Tokens", "SESSION", "which sessions?"):
            assert ids(await provider.search_text(query)) == ["jwt"], f"the query {query!r}"
        assert ids(await provider.search_text("eggs")) == ["cake"]
        assert sorted(ids(await provider.search_text("eggs sessions"))) == ["cake", "jwt"]
        assert await provider.search_text("absent") == []

    @promise()
    async def test_parts_of_identifiers_are_found(self, provider: BaseEmbeddingProvider) -> None:
        """An identifier is found by its words and by its whole name, however it is written."""
        await provider.upsert(
            [
                record("camel", "def parseHTTPHeader(self): ..."),
                record("snake", "x = write_log_file(1)"),
            ]
        )
        for query in ("parse header", "http", "parseHTTPHeader", "parse_http_header"):
            assert ids(await provider.search_text(query)) == ["camel"], f"the query {query!r}"
        for query in ("log", "writeLogFile", "write_log_file"):
            assert ids(await provider.search_text(query)) == ["snake"], f"the query {query!r}"

    @promise()
    async def test_words_of_any_script_are_found(self, provider: BaseEmbeddingProvider) -> None:
        """Words with accents, in other alphabets and in languages without spaces are found."""
        texts = {
            "de": "Die Größe der Bäume",
            "fr": "le café déjà fermé",
            "ru": "настройка поиска",
            "ja": "全文検索の設定を変更する",
            "ko": "검색 설정",
            "el": "αναζήτηση κειμένου",
        }
        queries = {
            "de": "größe",
            "fr": "CAFÉ",
            "ru": "Поиска",
            "ja": "検索",
            "ko": "설정",
            "el": "κειμένου",
        }
        await provider.upsert([record(name, text) for name, text in texts.items()])
        for name, query in queries.items():
            assert ids(await provider.search_text(query)) == [name], f"the query {query!r}"

    @promise()
    async def test_rare_words_count_more(self, provider: BaseEmbeddingProvider) -> None:
        """A record with the rare word of the query ranks above those with the common one."""
        common = [record(f"common{n}", f"config value number {n}") for n in range(20)]
        await provider.upsert([*common, record("rare", "zygote value number x")])
        hits = await provider.search_text("config zygote", limit=30)
        assert hits[0].id == "rare"
        assert len(hits) == 21  # noqa: PLR2004 - all twenty and the rare one

    @promise()
    async def test_more_words_count_more(self, provider: BaseEmbeddingProvider) -> None:
        """Of records of one length, the one with more words of the query ranks first."""
        texts = {"one": "red blue grey", "two": "red green grey", "both": "red green violet"}
        await provider.upsert([record(name, text) for name, text in texts.items()])
        assert ids(await provider.search_text("green violet"))[0] == "both"

    @promise()
    async def test_text_scores(self, provider: BaseEmbeddingProvider) -> None:
        """Scores are positive and descend; hits that score alike come in the order of their ids."""
        await provider.upsert([record(one, "same words here") for one in ("c", "a", "é", "B")])
        await provider.upsert([record("more", "same same words words here")])
        hits = await provider.search_text("same words", limit=10)
        scores = [hit.score for hit in hits]
        assert all(isinstance(score, float) and score > 0 for score in scores)
        assert scores == sorted(scores, reverse=True)
        alike = [hit.id for hit in hits if hit.id != "more"]
        assert alike == ["B", "a", "c", "é"]

    @promise()
    async def test_text_hits_carry_the_record(self, provider: BaseEmbeddingProvider) -> None:
        """A hit of a text search has the text and metadata of its record."""
        await provider.upsert([record("a", "unique wording", kind="fact", tags=["x"])])
        (hit,) = await provider.search_text("wording")
        assert isinstance(hit, Hit)
        assert (hit.text, dict(hit.metadata)) == ("unique wording", {"kind": "fact", "tags": ["x"]})

    @promise()
    async def test_text_limit(self, provider: BaseEmbeddingProvider) -> None:
        """There are never more hits than `limit`, by default 10, nor fewer where there are more."""
        await provider.upsert([record(f"t{n}", f"shared term{n}") for n in range(25)])
        for limit in (1, 24, 25):
            assert len(await provider.search_text("shared", limit=limit)) == limit
        assert len(await provider.search_text("shared", limit=10_000)) == len(range(25))
        assert len(await provider.search_text("shared")) == len(range(10))

    @promise()
    async def test_text_filter_before_limit(self, provider: BaseEmbeddingProvider) -> None:
        """A filter that only the weakest matches pass still gives `limit` hits."""
        strong = [record(f"strong{n}", "needle needle needle") for n in range(60)]
        weak = [record(f"weak{n}", "needle " + "hay " * 30, weak=True) for n in range(4)]
        await provider.upsert([*strong, *weak])
        hits = await provider.search_text("needle", limit=4, where={"weak": True})
        assert sorted(ids(hits)) == ["weak0", "weak1", "weak2", "weak3"]
        assert await provider.search_text("needle", where={"weak": False}) == []

    @promise()
    async def test_empty_queries_are_refused(self, provider: BaseEmbeddingProvider) -> None:
        """An empty query, or one that is no text, is a clear error."""
        await provider.upsert([record("a", "words")])
        for query in ("", "   ", "\n\t", None, 7, b"words", ["words"], "\ud800"):
            with pytest.raises(InvalidRequestError):
                await provider.search_text(query)  # type: ignore[arg-type]  # the wrong type is the point

    @promise()
    async def test_queries_without_words_find_nothing(
        self, provider: BaseEmbeddingProvider
    ) -> None:
        """A query of punctuation or pictures alone finds nothing, and is no error."""
        await provider.upsert([record("a", "!!! --- ??? 🧠 words")])
        for query in ("!!!", "---", "🧠", "'", '"', "%", "*", "()", "_", "\\"):
            assert await provider.search_text(query) == [], f"the query {query!r}"

    @promise()
    async def test_queries_have_no_syntax(self, provider: BaseEmbeddingProvider) -> None:
        """What an engine could take for an operator, a field or an attack is searched as words."""
        await provider.upsert([record("a", "an apple a day"), record("b", "nothing of the sort")])
        for query, expected in SYNTAX.items():
            assert ids(await provider.search_text(query)) == expected, f"the query {query[:80]!r}"

    @promise()
    async def test_common_words_alone_are_searched(self, provider: BaseEmbeddingProvider) -> None:
        """A query of nothing but common words finds the records that have them."""
        await provider.upsert([record("a", "to be or not to be"), record("b", "something else")])
        assert ids(await provider.search_text("to be")) == ["a"]

    @promise()
    async def test_updated_text_is_searched(self, provider: BaseEmbeddingProvider) -> None:
        """After an update a record is found by its new words, and no longer by its old ones."""
        await provider.upsert([record("a", "alpha shared"), record("b", "beta shared")])
        await provider.upsert([record("a", "gamma shared")])
        assert await provider.search_text("alpha") == []
        assert ids(await provider.search_text("gamma")) == ["a"]
        assert sorted(ids(await provider.search_text("shared"))) == ["a", "b"]

    @promise()
    async def test_deleted_text_is_not_found(self, provider: BaseEmbeddingProvider) -> None:
        """After `delete` and `delete_where` nothing is found by the words of what is gone."""
        await provider.upsert([record(f"d{n}", f"orange {word(n)}", n=n) for n in range(4)])
        await provider.delete(["d0"])
        assert await provider.search_text(word(0)) == []
        await provider.delete_where({"n": 1})
        assert await provider.search_text(word(1)) == []
        assert sorted(ids(await provider.search_text("orange"))) == ["d2", "d3"]

    @promise()
    async def test_just_stored_text_is_found(self, provider: BaseEmbeddingProvider) -> None:
        """A record is found by the first text search after its `upsert`."""
        for n in range(10):
            await provider.upsert([record(f"w{n}", word(n))])
            assert ids(await provider.search_text(word(n))) == [f"w{n}"]

    @promise()
    async def test_given_terms_are_searched(self, provider: BaseEmbeddingProvider) -> None:
        """A record with `terms` is found by those, and not by the words of its text."""
        await provider.upsert(
            [
                Record("given", "about animals", unit(1), terms="zebra quagga"),
                Record("none", "about animals", unit(2), terms=""),
                Record("derived", "about zebras", unit(3)),
            ]
        )
        assert ids(await provider.search_text("quagga")) == ["given"]
        assert sorted(ids(await provider.search_text("zebra"))) == ["derived", "given"]
        assert await provider.search_text("animals") == []

    @promise()
    async def test_end_of_long_text_is_found(self, provider: BaseEmbeddingProvider) -> None:
        """The last word of a text of a megabyte is found."""
        filler = " ".join(f"filler{n % 500}" for n in range(110_000))
        await provider.upsert([record("long", f"{filler} lastword"), record("short", "x")])
        assert ids(await provider.search_text("lastword")) == ["long"]
