import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_memory.retrieval.fusion import Fused
from victor_memory.retrieval.questions import dense_share, query_names
from victor_memory.retrieval.ranking import NAMED, Candidate, rank


def candidate(path, text="x = 1\n", score=0.5, language="python", key=None):
    return Candidate(key or path, path, text, language, Fused(score, score, score))


def named(path, symbol, score=0.5):
    return candidate(path, "", score, key=symbol)._replace(symbol=symbol, defines=(symbol,))


def order(query, *candidates, limit=10, near=None):
    return [one.key for one in rank(query, candidates, limit, near)]


def near_if(word):
    """Return what says that only texts with *word* in them are like the query."""
    return lambda texts: [float(word in text) for text in texts]


class TestSignals:
    def test_without_any_signal_the_fused_score_decides(self):
        found = order("zebra", candidate("a.py", score=0.1), candidate("b.py", score=0.9))
        assert found == ["b.py", "a.py"]

    def test_the_definition_of_a_name_stands_before_its_uses(self):
        found = order(
            "parse_config",
            candidate("use.py", "parse_config()\nparse_config()\n", 0.9),
            candidate("lib.py", "def parse_config(path):\n    return path\n", 0.5),
        )
        assert found == ["lib.py", "use.py"]

    def test_a_name_in_a_question_is_a_name_too(self):
        found = order(
            "where does HttpServer accept connections",
            candidate("use.py", "server = HttpServer()\n", 0.8),
            candidate("lib.py", "class HttpServer:\n    pass\n", 0.5),
        )
        assert found == ["lib.py", "use.py"]

    def test_a_file_named_like_the_question_stands_first(self):
        found = order(
            "how are sessions stored",
            candidate("handlers.py", score=0.6),
            candidate("session_store.py", score=0.5),
        )
        assert found[0] == "session_store.py"

    def test_a_word_that_is_in_every_path_tells_nothing(self):
        ranked = rank(
            "acme routing",
            [candidate("acme/acme_tables.py"), candidate("acme/acme_routing.py")]
            + [candidate(f"acme/acme_{letter * 5}.py", score=0.4) for letter in "bcdefghij"],
            10,
        )
        parts = {one.key: one.parts for one in ranked}
        assert ranked[0].key == "acme/acme_routing.py"
        assert (
            parts["acme/acme_routing.py"]["file_name"]
            > 3 * parts["acme/acme_tables.py"]["file_name"]
        )

    @pytest.mark.parametrize(
        "path",
        [
            "tests/engine.py", "pkg/tests/engine.py", "test_engine.py", "engine_test.go",
            "engine.spec.ts", "src/EngineTest.java", "spec/engine.rb", "conftest.py",
            "examples/engine.py", "docs/engine.py", "README.md", "CHANGELOG.rst",
            "compat/engine.py", "benches/../benchmarks/engine.py", "src/_compat.py",
        ],
    )  # fmt: skip
    def test_places_that_are_rarely_meant_stand_behind(self, path):
        ranked = rank("zebra", [candidate(path, score=0.6), candidate("src/code.py")], 10)
        assert [one.key for one in ranked] == ["src/code.py", path]
        assert ranked[1].parts["place"] < 1

    @pytest.mark.parametrize(
        ("query", "path"),
        [
            ("tests of the zebra", "tests/zoo.py"),
            ("zebra benchmark", "bench/zoo.py"),
            ("an example of a zebra", "examples/zoo.py"),
            ("zebra documentation", "docs/zoo.md"),
            ("deprecated zebra", "legacy/zoo.py"),
        ],
    )
    def test_unless_they_are_asked_for(self, query, path):
        ranked = rank(query, [candidate(path, score=0.6), candidate("src/code.py")], 10)
        assert ranked[0].key == path
        assert ranked[0].parts["place"] == 1

    @pytest.mark.parametrize(
        "path", ["src/testing.py", "contest.py", "latest/a.py", "docstring.py"]
    )
    def test_words_that_only_look_like_such_places_are_not(self, path):
        assert rank("zebra", [candidate(path)], 1)[0].parts["place"] == 1

    def test_a_header_stands_behind_its_implementation_but_not_behind_others(self):
        text = "int connect_to(int host) {\n"
        found = order(
            "connect",
            candidate("net.h", text, 0.55, "c"),
            candidate("net.c", text, 0.5, "c"),
            candidate("only.h", text, 0.5, "c"),
        )
        assert found.index("net.c") < found.index("net.h")
        assert rank("connect", [candidate("only.h", text)], 1)[0].parts["place"] == 1

    def test_one_file_does_not_fill_the_list_and_is_in_it_more_than_once(self):
        flood = [candidate("big.py", score=0.6, key=f"big{number}") for number in range(20)]
        others = [candidate(f"o{number}.py", score=0.55) for number in range(5)]
        found = order("zebra", *flood, *others, limit=8)
        assert 1 < sum(one.startswith("big") for one in found) < 6
        assert sum(one.startswith("o") for one in found) >= 3

    def test_a_file_with_more_to_say_stands_before_one_with_less(self):
        found = order(
            "zebra",
            candidate("one.py", score=0.6, key="one"),
            *[candidate("many.py", score=0.58, key=f"many{number}") for number in range(4)],
        )
        assert found[0].startswith("many")


class TestMeaning:
    def test_a_path_that_means_the_question_stands_before_others(self):
        candidates = candidate("a/colours.py", score=0.6), candidate("b/retries.py", score=0.5)
        asked = "how often is it tried again"
        assert order(asked, *candidates)[0] == "a/colours.py"
        assert order(asked, *candidates, near=near_if("retries"))[0] == "b/retries.py"

    def test_a_name_that_means_the_question_is_the_one_of_its_file(self):
        candidates = named("a.py", "send", 0.55), named("a.py", "back_off", 0.5)
        asked = "how often is it tried again"
        assert order(asked, *candidates)[0] == "send"
        assert order(asked, *candidates, near=near_if("back_off"))[0] == "back_off"

    def test_but_does_not_put_its_file_before_another(self):
        candidates = named("a.py", "send", 0.55), named("b.py", "back_off", 0.5)
        found = order("how often is it tried again", *candidates, near=near_if("back_off"))
        assert found == ["send", "back_off"]

    def test_a_query_of_one_word_is_a_name_and_compared_by_its_words(self):
        candidates = named("a.py", "send", 0.55), named("b.py", "retry", 0.5)
        assert rank("resend", candidates, 10, near_if("retry")) == rank("resend", candidates, 10)

    def test_of_many_the_names_of_the_best_are_compared_and_none_is_lost(self):
        many = [named("a.py", f"send{number:04}", 0.5) for number in range(NAMED)]
        last = named("a.py", "back_off", 0.4)
        asked = []

        def near(texts):
            asked.append(len(texts))
            return [float("0030" in text) for text in texts]

        found = order("how often is it tried again", *many, last, limit=1000, near=near)
        assert asked == [1, NAMED]
        assert found[0] == "send0030"
        assert len(found) == NAMED + 1

    def test_no_score_falls_below_nothing(self):
        candidates = named("tests/a.py", "send", 0.0), named("tests/a.py", "back_off", 0.0)
        found = rank("how often is it tried again", candidates, 10, near_if("back_off"))
        assert min(one.score for one in found) == 0

    def test_its_share_is_among_the_parts_of_the_score(self):
        candidates = named("a.py", "send", 0.55), named("a.py", "back_off", 0.5)
        found = rank("how often", candidates, 10, near_if("back_off"))
        assert [one.parts["name_meaning"] < 0 for one in found] == [False, True]
        assert all(one.parts["path_meaning"] > 0 for one in found)


class TestOrder:
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["a.py", "b/a.py", "tests/a.py", "token.py"]),
                st.floats(0, 1),
                st.sampled_from(["", "def token(): ...", "class A:\n  pass"]),
            ),
            max_size=20,
        ),
        st.sampled_from(["token", "how does a token work", "!!", "HttpServer.token"]),
        st.integers(1, 25),
        st.sampled_from([None, near_if("token")]),
    )
    def test_the_best_come_first_with_the_parts_of_their_scores(self, given_, query, limit, near):
        candidates = [
            candidate(path, text, score, key=f"{number:02}")
            for number, (path, score, text) in enumerate(given_)
        ]
        ranked = rank(query, candidates, limit, near)
        assert len(ranked) == min(limit, len(candidates))
        assert [(-one.score, one.key) for one in ranked] == sorted(
            (-one.score, one.key) for one in ranked
        )
        added = ("text", "file_name", "directory", "path_meaning", "file", "definition", "symbol")
        for one in ranked:
            total = sum(one.parts[name] for name in added) * one.parts["place"]
            total = (total + one.parts["name_meaning"]) * one.parts["repeat"]
            assert one.score == pytest.approx(total)
        assert ranked == rank(query, list(reversed(candidates)), limit, near)

    def test_nothing_ranks_to_nothing(self):
        assert rank("query", [], 10) == []


class TestQueries:
    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("check_token", {"check_token"}),
            ("token", {"token"}),
            ("Session.open", {"open"}),
            ("std::vector", {"vector"}),
            ("how does HttpServer.close_all work", {"close_all"}),
            ("the parseJSON function", {"parseJSON"}),
            ("how are tokens checked?", set()),
            ("Where is the session stored", set()),
            ("what is e.g. this", set()),
            ("!!!", set()),
        ],
    )
    def test_names_are_words_that_look_like_code(self, query, names):
        assert query_names(query) == names

    def test_a_long_text_leans_on_its_words(self):
        issue = " ".join(f"word{number}" for number in range(200))
        assert dense_share("where are tokens checked") == 0.6
        assert 0.1 <= dense_share(issue) < 0.2
        assert dense_share("!!!") == 0.6
