import random
from datetime import UTC, datetime

import numpy as np
import pytest

from victor_memory.conversation import asked, scoring
from victor_memory.conversation.parts import split
from victor_memory.conversation.records import new_memory, to_record
from victor_memory.conversation.rows import Extent, Rows
from victor_memory.conversation.wanted import wanted
from victor_memory.retrieval.bm25 import InvertedIndex
from victor_memory.retrieval.text import analyse

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
WORDS = [a + b for a in ("ka", "lo", "mi", "ru", "te", "so") for b in ("ren", "tal", "mok", "sip")]


def record(text, index=None, session="s", vector=None, kind="turn", **given):
    memory = new_memory(
        text, project="p", kind=kind, session=session, index=index, created_at=NOON, **given
    )
    return to_record(memory, np.ones(2, np.float32) if vector is None else np.array(vector))


def question(text, vector=(1.0, 1.0)):
    return asked.read(text, np.array(vector, np.float32), NOON)


def ranked(rows, text, limit=10, **given):
    found = scoring.rank(rows, question(text), wanted(**given).mask(rows), limit)
    return [rows.memories[row].text for row in found.rows]


def order(rows, row):
    """Return the texts from *row* to the end of its session, and back from there."""
    there, back = [], []
    while row >= 0:
        there.append(rows.memories[row].text)
        last, row = row, int(rows.column("after")[row])
    while last >= 0:
        back.append(rows.memories[last].text)
        last = int(rows.column("before")[last])
    return there, back[::-1]


def test_rows_stand_in_the_order_of_their_session_however_they_come():
    texts = [f"turn {n}" for n in range(40)]
    mixed = list(enumerate(texts))
    random.Random(3).shuffle(mixed)
    rows = Rows()
    for index, text in mixed:
        rows.add([record(text, index), record(text + " of another", index, session="t")])
    first = next(n for n, one in enumerate(rows.memories) if one.text == "turn 0")
    there, back = order(rows, first)
    assert there == back == texts


def test_a_row_taken_out_leaves_its_neighbours_beside_each_other():
    rows = Rows()
    some = [record(f"turn {n}", n) for n in range(5)]
    rows.add(some)
    rows.remove([some[2].id, "unknown", some[4].id])
    assert order(rows, 0)[0] == ["turn 0", "turn 1", "turn 3"]
    assert len(rows) == 3
    assert some[2].id not in rows
    assert rows.add([some[2]]) == 1
    assert order(rows, 0) == (["turn 0", "turn 1", "turn 2", "turn 3"],) * 2
    assert ranked(rows, "turn 4") != ["turn 4"]
    assert "turn 4" not in ranked(rows, "turn 4")


def test_the_same_record_twice_is_one_row():
    rows = Rows()
    assert rows.add([record("once", 0)]) == 1
    version = rows.version
    assert rows.add([record("once", 0)]) == 0
    assert (len(rows), rows.version) == (1, version)


def test_a_term_is_weighed_as_in_bm25_where_nothing_stands_beside(monkeypatch):
    monkeypatch.setattr(scoring, "SHORTEST", 0.0)
    monkeypatch.setattr(scoring, "K1", 1.2)
    rng = random.Random(5)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 20))) + f" u{n}" for n in range(80)]
    rows, index = Rows(), InvertedIndex()
    for number, text in enumerate(texts):
        rows.add([record(text, kind="fact", session=None)])
        index.put(str(number), analyse(text))
    terms = analyse("karen talsip mimok u7")
    _, plain, _ = scoring._words(rows, terms)
    expected = np.zeros(len(texts))
    for key, score in index.search(terms, 100):
        expected[int(key)] = score
    assert plain == pytest.approx(expected, rel=1e-5)


def test_a_term_counts_beside_it_with_a_share_and_only_in_its_session():
    rows = Rows()
    rows.add([record("zebra", 0), record("b", 1), record("c", 2), record("d", 3)])
    rows.add([record("other", 0, session="t")])
    window, plain, _ = scoring._words(rows, ["zebra"])
    assert plain.tolist() == [plain[0], 0, 0, 0, 0]
    assert (window / plain[0]).tolist() == pytest.approx([1, *scoring.WINDOW, 0, 0])


def test_a_vector_finds_what_has_no_word_of_the_question():
    rows = Rows()
    rows.add([record(f"filler {n}", n, vector=[1, 0.01 * n]) for n in range(30)])
    rows.add([record("answer", 30, vector=[0.05, 1])])
    found = scoring.rank(rows, question("nothing shared", (0, 1)), rows.column("live").copy(), 3)
    assert rows.memories[found.rows[0]].text == "answer"


def test_parts_of_one_memory_are_one_result_and_are_joined():
    text = "\n\n".join(" ".join(f"w{page}x{n}" for n in range(150)) for page in range(5))
    memory = new_memory(text, project="p", kind="turn", session="s", index=0, created_at=NOON)
    rows = Rows()
    rows.add(to_record(one, np.ones(2)) for one in split(memory))
    assert len(rows) > 3
    found = scoring.rank(rows, question("w3x7 w1x2"), rows.column("live").copy(), 10)
    assert len(found.rows) == 1
    assert rows.whole(found.rows[0]).text == text
    assert list(rows.beside(found.rows[0])) == []


def test_selections_say_the_same_of_rows_and_of_a_store():
    rng = random.Random(11)
    records = [
        record(
            f"text {n}", n if kind == "turn" else None, kind=kind,
            session=rng.choice(["s", "t"]), role=rng.choice(["user", "assistant", None]),
            agent=rng.choice(["a", None]), branch=rng.choice(["main", None]),
        )
        for n in range(60) for kind in [rng.choice(["turn", "fact", "decision"])]
    ] + [
        record("private", kind="fact", session="s", scope="session"),
        record("own", kind="fact", session="t", agent="a", scope="agent"),
    ]  # fmt: skip
    rows = Rows()
    rows.add(records)
    for given in (
        {}, {"kinds": "turn"}, {"kinds": ["fact", "decision"], "session": "s"}, {"role": "user"},
        {"agent": "a"}, {"branch": "main", "role": "assistant"}, {"session": "none"},
        {"since": NOON}, {"until": NOON}, {"viewer": ("s", "a")}, {"viewer": ("t", None)},
    ):  # fmt: skip
        chosen = wanted(**given)
        mask = chosen.mask(rows)
        matching = {one.id for one in records if chosen.filter().matches(one.metadata)}
        assert {rows.memories[row].id for row in np.flatnonzero(mask)} == matching, given


def test_a_sample_weighs_terms_as_the_collection_does():
    everything, sample = Rows(), Rows(Extent(100, {"common": 90, "rare": 1}))
    some = [record(f"common text {n}", kind="fact", session=None) for n in range(89)]
    some += [record("common rare text", kind="fact", session=None)]
    some += [record(f"filler {n}", kind="fact", session=None) for n in range(10)]
    everything.add(some)
    sample.add(some[85:92])
    for terms in (["common"], ["rare"]):
        whole, part = (scoring._words(one, terms)[2][0].weight for one in (everything, sample))
        assert whole == pytest.approx(part)


def test_a_question_in_other_words_leans_on_meaning():
    rows = Rows()
    rows.add(record(f"{WORDS[n % 24]} thing", n, vector=[1, 0.001 * n]) for n in range(200))
    rows.add([record("the answer", 200, vector=[0, 1])])
    shared = scoring.rank(rows, question("karen lotal", (0, 1)), rows.column("live").copy(), 1)
    foreign = scoring.rank(
        rows, question("thing unheard of", (0, 1)), rows.column("live").copy(), 1
    )
    top = foreign.parts[0]
    assert rows.memories[foreign.rows[0]].text == "the answer"
    assert top["dense"] > top["lexical"]
    assert shared.rows
