"""The store against LangGraph's own in-memory store, on the same random operations; and in a graph."""

import asyncio
import json
import random
from typing import TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore
from victor_memory_langgraph import VictorMemoryStore

from victor_memory.settings import MemorySettings

LABELS = ["users", "ann", "bob", "notes", "a.b", "%", "ü"]
KEYS = ["1", "2", "pre fs", "ü.%"]
WORDS = ["tabs", "spaces", "deploys", "friday", "postgres", "sqlite", "vim", "tests", "coffee"]


@pytest.fixture(params=["lancedb", "memory"])
def settings(request, tmp_path):
    return MemorySettings(
        vector_store=request.param,
        embeddings_dir=tmp_path / "memory",
        embedding_model_type="hashing",
    )


@pytest.fixture
def store(settings, tmp_path):
    with VictorMemoryStore(settings, project=tmp_path, fields=("text", "tags[*]")) as opened:
        yield opened


@pytest.fixture
def reference(store):
    def embed(texts):
        return store._submit(store._records.embed_batch(texts)).result()

    dims = len(embed(["a"])[0])
    return InMemoryStore(index={"dims": dims, "embed": embed, "fields": ["text", "tags[*]"]})


def random_value(rng):
    return {
        "text": " ".join(rng.sample(WORDS, 3)),
        "tags": rng.sample(WORDS, rng.randint(0, 2)),
        "n": rng.choice([0, 1, 2.5, -3, True]),
        "deep": {"a": rng.choice([1, "x", None, [1, {"b": 2}]])},
        "kind": rng.choice(["fact", "task", None]),
    }


def random_namespace(rng):
    return tuple(rng.choice(LABELS) for _ in range(rng.randint(1, 3)))


def random_op(rng):
    namespace = random_namespace(rng)
    what = rng.random()
    if what < 0.55:
        value = None if rng.random() < 0.2 else random_value(rng)
        return PutOp(
            namespace,
            rng.choice(KEYS),
            value,
            rng.choice([None, None, False, ["kind"], ["deep.a", "text"]]),
        )
    if what < 0.7:
        return GetOp(namespace, rng.choice(KEYS))
    if what < 0.85:
        conditions = [
            MatchCondition(
                rng.choice(["prefix", "suffix"]),
                tuple(rng.choice([*LABELS, "*", "*"]) for _ in range(rng.randint(1, 2))),
            )
            for _ in range(rng.randint(0, 2))
        ]
        return ListNamespacesOp(
            tuple(conditions) or None,
            rng.choice([None, 1, 2]),
            rng.choice([2, 100]),
            rng.choice([0, 1]),
        )
    filters = [
        None, None, {"kind": "fact"}, {"n": {"$gte": 1}}, {"n": {"$lt": 2, "$ne": 0}}, {"deep": {"a": "x"}}, {"n": 1}, {"kind": None},
        {"deep": {"a": [1, {"b": 2}]}}, {"missing": {"$eq": None}},
    ]  # fmt: skip
    query = rng.choice([None, " ".join(rng.sample(WORDS, 2))])
    return SearchOp(
        namespace[: rng.randint(0, 2)], rng.choice(filters), rng.choice([3, 1000]), 0, query
    )


def told(item):
    return (
        None if item is None else (item.namespace, item.key, json.dumps(item.value, sort_keys=True))
    )


def compare(op, mine, theirs, everything):
    if isinstance(op, SearchOp):
        assert len(mine) == len(theirs)
        if op.query:
            scores, others = (
                [round(one.score, 4) for one in found if one.score is not None]
                for found in (mine, theirs)
            )
            assert scores == others
            by_score = {}
            for one in everything:
                by_score.setdefault(None if one.score is None else round(one.score, 4), set()).add(
                    told(one)
                )
            # Items of one score have no order.
            assert all(
                told(one) in by_score[None if one.score is None else round(one.score, 4)]
                for one in mine
            )
        elif op.limit > 3:
            assert set(map(told, mine)) == set(map(told, theirs))
        assert len(set(map(told, mine))) == len(mine)
    elif isinstance(op, GetOp):
        assert told(mine) == told(theirs)
    else:
        assert mine == theirs


def ask(reference, op):
    """Ask *reference*, which lists namespaces that are empty, or that somebody has but asked for."""
    for namespace in [one for one, items in reference._data.items() if not items]:
        del reference._data[namespace]
    return reference.batch([op])[0]


@pytest.mark.parametrize("seed", range(6))
def test_it_answers_as_the_store_in_memory(store, reference, seed):
    rng = random.Random(seed)
    for _ in range(30):
        ops = [random_op(rng) for _ in range(rng.randint(1, 5))]
        mine = store.batch(ops)
        for op, found in zip(ops, mine, strict=True):
            if not isinstance(op, PutOp):
                compare(
                    op,
                    found,
                    ask(reference, op),
                    ask(reference, op._replace(limit=10_000)) if isinstance(op, SearchOp) else (),
                )
        for op in ops:
            if isinstance(op, PutOp):  # one by one: it fails on a text that is twice in a batch
                reference.batch(
                    [op._replace(value=None)]
                )  # and else keeps vectors of the old value
                reference.batch([op])


def test_pages_of_a_search_do_not_overlap(store):
    for n in range(25):
        store.put(("a", str(n % 3)), str(n), {"text": f"{WORDS[n % 9]} {n}"})
    for query in (None, "tabs and coffee"):
        pages = [store.search(("a",), query=query, limit=10, offset=at) for at in (0, 10, 20, 30)]
        assert [len(one) for one in pages] == [10, 10, 5, 0]
        assert len({(one.namespace, one.key) for page in pages for one in page}) == 25
    scores = [one.score for one in store.search(("a",), query="tabs", limit=25)]
    assert scores == sorted(scores, reverse=True)


def test_what_is_asked_in_a_batch_is_answered_before_it_is_stored(store):
    found, _, missing = store.batch(
        [GetOp(("a",), "1"), PutOp(("a",), "1", {"x": 1}), SearchOp(("a",))]
    )
    assert (found, missing) == (None, [])
    assert store.get(("a",), "1").value == {"x": 1}


def test_an_item_that_is_stored_again_keeps_when_it_was_made(store):
    store.put(("a",), "1", {"text": "tabs"})
    first = store.get(("a",), "1")
    store.put(("a",), "1", {"text": "spaces", "tags": ["vim"]})
    again = store.get(("a",), "1")
    assert again.created_at == first.created_at
    assert again.updated_at > first.updated_at
    assert [one.key for one in store.search(("a",), query="tabs")] == ["1"]
    store.delete(("a",), "1")
    assert store.get(("a",), "1") is None
    assert store._submit(store._records.count()).result() == 0


def test_bad_namespaces_and_operators_are_refused(store):
    for bad in ((), ("a.b",), ("",), ("langgraph", "x")):
        with pytest.raises(InvalidNamespaceError):
            store.put(bad, "1", {})
    store.put(("a",), "1", {"n": 1})
    with pytest.raises(ValueError, match=r"\$in"):
        store.search(("a",), filter={"n": {"$in": [1]}})
    with pytest.raises(NotImplementedError):
        store.put(("a",), "1", {}, ttl=1)


async def test_it_is_asked_from_an_event_loop(store):
    await asyncio.gather(*(store.aput(("a",), str(n), {"text": WORDS[n]}) for n in range(9)))
    assert (await store.asearch(("a",), query="coffee", limit=1))[0].value == {"text": "coffee"}
    assert await store.alist_namespaces() == [("a",)]
    await store.adelete(("a",), "0")
    assert await store.aget(("a",), "0") is None


def test_a_new_process_finds_it_again(settings, tmp_path):
    if settings.vector_store == "memory":
        pytest.skip("keeps nothing")
    with VictorMemoryStore(settings, project=tmp_path) as store:
        store.put(("users", "ann"), "editor", {"text": "prefers vim"})
    with VictorMemoryStore(settings, project=tmp_path) as store:
        assert store.search(("users",), query="which editor")[0].value == {"text": "prefers vim"}


class State(TypedDict):
    said: str
    answer: str


def test_a_graph_remembers_across_runs(store):
    def answer(state: State, *, store: BaseStore):
        known = store.search(("users", "ann"), query=state["said"], limit=1)
        store.put(("users", "ann"), state["said"], {"text": state["said"]})
        return {"answer": known[0].value["text"] if known else "nothing yet"}

    graph = StateGraph(State)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    run = graph.compile(store=store)
    assert run.invoke({"said": "I deploy on friday"})["answer"] == "nothing yet"
    assert run.invoke({"said": "when do I deploy?"})["answer"] == "I deploy on friday"
