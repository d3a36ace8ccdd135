import asyncio
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.conversation import recall as recall_module
from victor_memory.conversation import resident as resident_module
from victor_memory.conversation.calibration import DEFAULT_MIN_SCORE
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.records import USER, Turn
from victor_memory.embedders.hashing import HashingEmbedder
from victor_memory.embedders.static import StaticEmbedder
from victor_memory.errors import InvalidRequestError
from victor_memory.providers.lancedb import LanceDBProvider
from victor_memory.providers.memory import MemoryProvider

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HASHING = EmbeddingConfig(
    vector_store="memory", embedding_model_type="hashing", embedding_model="hashing-256"
)
STATIC = EmbeddingConfig(vector_store="memory", embedding_model_type="static")


@pytest.fixture
async def memory():
    async with MemoryProvider(HASHING, embedder=HashingEmbedder(HASHING)) as provider:
        yield ConversationMemory(provider, "shop")


def lance(path):
    config = EmbeddingConfig(
        vector_store="lancedb", persist_directory=path, embedding_model_type="hashing",
        embedding_model="hashing-256", extra_config={"collection": "shop"},
    )  # fmt: skip
    return LanceDBProvider(config, embedder=HashingEmbedder(config))


def texts(found):
    return [one.memory.text for one in found]


def talk(*said, session="s", start=NOON):
    return [
        Turn(text, session, role, index=at, created_at=start + at * timedelta(minutes=1))
        for at, (role, text) in enumerate(said)
    ]


FILLER = [
    "the weather was grey in the harbour", "breakfast with toast and jam", "a long train ride",
    "painting the fence green", "the neighbour's cat slept", "new curtains for the kitchen",
]  # fmt: skip


async def fill(memory, count=60):
    await memory.add_turns(
        Turn(f"{FILLER[n % len(FILLER)]} number{n}", f"fill{n // 10}", "user", index=n % 10,
             created_at=NOON - 100 * DAY)
        for n in range(count)
    )  # fmt: skip


# -- around, who, when ----------------------------------------------------------------------------


async def test_words_said_in_the_turn_before_find_the_answer(memory):
    await fill(memory)
    await memory.add_turns(
        talk(("user", "Which colour for the invoice header?"), ("assistant", "Teal."),
             ("user", "ok, next"))
    )  # fmt: skip
    found = await memory.recall("colour invoice header", limit=2)
    assert texts(found) == ["Which colour for the invoice header?", "Teal."]
    assert found[1].parts["lexical"] == 0 < found[1].parts["neighbours"]


async def test_each_hit_has_the_turns_beside_it_and_says_why(memory):
    await fill(memory)
    await memory.add_turns(
        talk(("user", "before"), ("assistant", "The invoice header is teal"), ("user", "after"))
    )
    (found,) = await memory.recall("invoice header", limit=1)
    assert [one.text for one in found.context] == ["before", "after"]
    assert found.matched == ("invoic", "header")
    assert sum(found.parts.values()) == pytest.approx(found.score)
    assert found.excerpt == found.memory.text


async def test_a_question_about_me_prefers_what_the_user_said(memory):
    await fill(memory)
    await memory.add_turns(talk(("assistant", "your deadline is friday"), ("tool", "x")))
    await memory.add_turns(talk(("user", "the deadline is friday"), ("tool", "x"), session="t"))
    (first, *_) = await memory.recall("When is my deadline?", limit=2)
    assert first.memory.role == "user"
    assert first.parts["speaker"] > 0
    (first, *_) = await memory.recall("Which deadline did you suggest?", limit=2)
    assert first.memory.role == "assistant"


async def test_the_person_named_in_the_question_is_preferred(memory):
    await fill(memory)
    said = "we adopted a small brown dog from the shelter"
    await memory.add_turns(
        [Turn(said + " too", "a", "user", 0, speaker="Ann Lee"),
         Turn(said, "b", "user", 0, speaker="Bob")]
    )  # fmt: skip
    for name in ("Ann", "Bob"):
        (first, *_) = await memory.recall(f"Which dog did {name} adopt?", limit=2)
        assert first.memory.speaker.startswith(name)
    both = await memory.recall("Which dog did Ann and Bob adopt?", limit=2)
    assert all(one.parts["speaker"] == 0 for one in both)


@pytest.mark.parametrize(
    ("when", "expected"),
    [("last week", 7), ("yesterday", 1), ("in November", 50), ("two days ago", 2), ("", 0)],
)
async def test_time_words_prefer_that_time(memory, when, expected):
    await fill(memory)
    # 15 January 2026 is a Thursday.
    await memory.add_turns(
        Turn(f"we deployed the billing service, take {back}", f"d{back}", "user", 0,
             created_at=NOON - back * DAY)
        for back in (0, 1, 2, 7, 50)
    )  # fmt: skip
    found = await memory.recall(f"when did we deploy billing {when}", limit=5, now=NOON)
    best = found[0]
    assert (NOON - best.memory.created_at).days == expected
    assert (best.parts["time"] > 0) == bool(when)


async def test_a_month_in_which_nothing_was_said_means_an_earlier_year(memory):
    await fill(memory)
    long_ago = datetime(2023, 7, 9, tzinfo=UTC)
    await memory.remember("the offsite was by the lake", created_at=long_ago)
    await memory.remember("the offsite was in the hills", created_at=NOON - 30 * DAY)
    (first, *_) = await memory.recall("offsite in July", now=NOON)
    assert first.memory.created_at == long_ago
    (first, *_) = await memory.recall("offsite in July 2024", now=NOON)
    assert first.parts["time"] == 0 or first.memory.created_at == long_ago


async def test_bounds_and_labels_are_hard(memory):
    await fill(memory)
    await memory.add_turns(
        [Turn("deploy on main", "s", "user", 0, branch="main", agent="a", created_at=NOON),
         Turn("deploy on dev", "t", "assistant", 0, branch="dev", agent="b",
              created_at=NOON - DAY, speaker="Zoe")]
    )  # fmt: skip
    asked = {
        "branch": ("main", "deploy on main"), "agent": ("b", "deploy on dev"),
        "role": ("assistant", "deploy on dev"), "speaker": ("Zoe", "deploy on dev"),
        "session": ("s", "deploy on main"), "since": (NOON, "deploy on main"),
    }  # fmt: skip
    for name, (value, text) in asked.items():
        found = await memory.recall("deploy", **{name: value})
        assert texts(found) == [text], name
    assert "deploy on main" not in texts(await memory.recall("deploy", until=NOON))
    assert await memory.recall("deploy", branch="none") == []


# -- what holds -----------------------------------------------------------------------------------


async def test_what_was_superseded_is_left_out_unless_asked_for(memory):
    old = (await memory.remember("The API port is 8080")).memory
    new = (await memory.remember("The API port is 9090")).memory
    assert texts(await memory.recall("API port")) == [new.text]
    found = await memory.recall("API port", include_superseded=True)
    assert {one.memory.id: one.superseded_by for one in found} == {old.id: new.id, new.id: None}


async def test_what_amends_stands_before_what_it_amends(memory):
    await fill(memory)
    first = talk(
        ("user", "retry policy settled: retry server errors, four attempts, backoff cap sixty"),
        session="a",
    )
    later = talk(
        ("user", "amending the retry policy we settled: cap is thirty, superseding sixty"),
        session="b", start=NOON + DAY,
    )  # fmt: skip
    await memory.add_turns([*first, *later])
    found = await memory.recall("retry server errors, attempts and backoff cap", limit=3)
    assert found[0].memory.session == "b"
    assert found[1].memory.session == "a"
    assert found[1].amended_by == found[0].memory.id
    assert found[0].parts["amends"] > 0
    assert sum(found[0].parts.values()) == pytest.approx(found[0].score)


async def test_what_rests_on_a_changed_file_is_marked(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n", encoding="utf-8")
    async with MemoryProvider(HASHING, embedder=HashingEmbedder(HASHING)) as provider:
        memory = ConversationMemory(provider, "shop", root=tmp_path)
        await memory.remember("x is one", files=["a.py"])
        assert (await memory.recall("x is one"))[0].stale == ()
        (tmp_path / "a.py").write_text("x = 2\n", encoding="utf-8")
        assert (await memory.recall("x is one"))[0].stale == ("a.py has changed",)


async def test_private_notes_are_seen_only_by_their_session(memory):
    await memory.remember("scratch: the cache is cold", scope="session", session="s")
    await memory.remember("scratch: the cache is warm", scope="agent", agent="a")
    assert await memory.recall("cache") == []
    assert texts(await memory.recall("cache", session="s")) == ["scratch: the cache is cold"]
    assert texts(await memory.recall("cache", viewer=(None, "a"))) == ["scratch: the cache is warm"]


async def test_the_users_notes_are_found_in_every_project():
    async with (
        MemoryProvider(HASHING, embedder=HashingEmbedder(HASHING)) as provider,
        MemoryProvider(HASHING, embedder=HashingEmbedder(HASHING)) as user,
    ):
        shop, bank = (ConversationMemory(provider, name, user=user) for name in ("shop", "bank"))
        await shop.remember("I prefer tabs over spaces", kind="preference", scope="user")
        await shop.remember("the shop uses spaces")
        assert texts(await bank.recall("tabs or spaces")) == ["I prefer tabs over spaces"]
        assert (await bank.recall("tabs"))[0].memory.project == USER


# -- long texts, limits ---------------------------------------------------------------------------


async def test_a_long_turn_is_one_hit_with_the_part_that_was_found(memory):
    pages = [" ".join(f"word{page}x{n}" for n in range(110)) for page in range(6)]
    text = "\n\n".join(pages)
    await memory.add_turns([Turn(text, "s", "assistant", 0), Turn("short", "s", "user", 1)])
    (first, *rest) = await memory.recall("word4x7 word4x9 word3x5", limit=5)
    assert first.memory.text == text
    assert "word4x7" in first.excerpt
    assert len(first.excerpt) < len(text) / 3
    assert [one.memory.text for one in rest] in ([], ["short"])


async def test_a_budget_holds_and_lets_shorter_ones_pass(memory):
    await memory.remember("invoice " + "detail " * 60)
    await memory.remember("invoice short")
    assert texts(await memory.recall("invoice", budget=10)) == ["invoice short"]
    assert len(await memory.recall("invoice", budget=1000)) == 2
    assert await memory.recall("invoice", budget=1) == []


@pytest.mark.parametrize(
    "options", [{"budget": 0}, {"budget": True}, {"now": datetime(2026, 1, 1)}]  # noqa: DTZ001 - that is what is refused
)  # fmt: skip
async def test_what_cannot_be_meant_is_refused(memory, options):
    with pytest.raises(InvalidRequestError):
        await memory.recall("x", **options)


# -- nothing relevant -----------------------------------------------------------------------------


async def test_an_answer_scores_above_the_threshold_and_noise_below():
    async with MemoryProvider(STATIC, embedder=StaticEmbedder(STATIC)) as provider:
        memory = ConversationMemory(provider, "shop")
        await fill(memory)
        await memory.add_turns(
            talk(("user", "We keep invoices for ten years because of the tax office"),
                 ("assistant", "Noted: invoices are archived for a decade."))
        )  # fmt: skip
        for related in ("how long do we keep invoices?", "invoices and the tax office"):
            (best,) = await memory.recall(related, limit=1)
            assert best.score >= DEFAULT_MIN_SCORE, related
        for unrelated in ("quantum chromodynamics lectures", "who won the chess tournament"):
            assert await memory.recall(unrelated, min_score=DEFAULT_MIN_SCORE) == [], unrelated


# -- the copy and the store -----------------------------------------------------------------------


async def test_copy_and_store_agree(tmp_path, monkeypatch):
    async with lance(tmp_path) as provider:
        memory = ConversationMemory(provider, "shop")
        await fill(memory, 200)
        await memory.add_turns(
            talk(("user", "Which colour for the invoice header?"), ("assistant", "Teal."),
                 ("user", "and the footer in grey"))
        )  # fmt: skip
        await memory.remember("The invoice header is teal", kind="decision")
        copied = await memory.recall("colour of the invoice header", limit=4)
        monkeypatch.setattr(resident_module, "AT_ONCE", 0)
        stored = await ConversationMemory(provider, "shop").recall(
            "colour of the invoice header", limit=4
        )
        assert set(texts(copied)) == set(texts(stored))
        assert texts(copied)[0] == texts(stored)[0]
        assert copied[0].context == stored[0].context


async def test_what_another_process_writes_and_forgets_is_seen_at_once(tmp_path):
    async with lance(tmp_path) as mine, lance(tmp_path) as theirs:
        reader, writer = ConversationMemory(mine, "shop"), ConversationMemory(theirs, "shop")
        await fill(writer, 30)
        assert await reader.recall("zebra", min_score=0.2) == []
        kept = (await writer.remember("the zebra is striped")).memory
        await writer.add_turns([Turn("a zebra crossing", "z")])
        assert set(texts(await reader.recall("zebra", limit=2))) == {
            "the zebra is striped", "a zebra crossing",
        }  # fmt: skip
        await writer.forget(ids=[kept.id])
        assert "the zebra is striped" not in texts(await reader.recall("zebra", limit=50))
        # As many were added as forgotten: the number alone does not tell.
        await writer.forget(session="z")
        await writer.remember("the okapi is shy")
        found = texts(await reader.recall("zebra okapi", limit=50))
        assert "the okapi is shy" in found
        assert "a zebra crossing" not in found


def test_every_recall_may_have_an_event_loop_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(resident_module, "SOON", 10)
    monkeypatch.setattr(resident_module, "AT_ONCE", 5)
    provider = lance(tmp_path)
    memory = ConversationMemory(provider, "shop")

    async def begin():
        await fill(memory, 40)
        await memory.remember("the zebra is striped")

    asyncio.run(begin())

    async def both():
        return await asyncio.gather(*(memory.recall("zebra striped", limit=1) for _ in range(2)))

    for _ in range(6):
        for found in asyncio.run(both()):
            assert texts(found) == ["the zebra is striped"]
    assert memory._reader._resident._rows is not None
    asyncio.run(provider.close())


def test_two_event_loops_share_the_copy_by_turns(tmp_path, monkeypatch):
    provider = lance(tmp_path)
    memory = ConversationMemory(provider, "shop")
    answer, inside, most, ready = recall_module._Search.answer, [], [], threading.Barrier(2)

    def slowly(self, rows, newer):
        inside.append(rows)
        most.append(len(inside))
        time.sleep(0.005)
        inside.pop()
        return answer(self, rows, newer)

    async def begin():
        await fill(memory, 40)
        await memory.remember("the zebra is striped")
        await memory.recall("zebra")

    def recall(found):
        ready.wait()
        for _ in range(20):
            found += texts(asyncio.run(memory.recall("zebra striped", limit=1)))

    asyncio.run(begin())
    monkeypatch.setattr(recall_module._Search, "answer", slowly)
    found = [], []
    threads = [threading.Thread(target=recall, args=(one,)) for one in found]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == (["the zebra is striped"] * 20,) * 2
    assert memory._reader._resident._rows is not None
    assert max(most) == 1
    asyncio.run(provider.close())


async def test_many_recalls_at_once_while_others_write(tmp_path):
    async with lance(tmp_path) as provider:
        memory = ConversationMemory(provider, "shop")
        await fill(memory, 40)

        async def write(number):
            await memory.remember(f"the zebra number{number} is striped")

        async def read():
            return await memory.recall("zebra", limit=50)

        await asyncio.gather(*(f for n in range(8) for f in (write(n), read())))
        found = texts(await memory.recall("zebra", limit=100))
        assert sum("zebra" in one for one in found) == 8


async def test_reading_creates_nothing(tmp_path):
    provider = lance(tmp_path / "absent")
    memory = ConversationMemory(provider, "shop")
    assert await memory.recall("anything") == []
    assert await memory.timeline() == []
    assert await memory.sessions() == []
    assert not (tmp_path / "absent").exists()
    await provider.close()


# -- by time --------------------------------------------------------------------------------------


async def test_a_timeline_is_in_order_and_whole(memory):
    long = "\n\n".join("word " * 150 for _ in range(3))
    await memory.add_turns(
        [Turn(f"turn {n}", "s", "user", n, created_at=NOON + n * DAY) for n in range(6)]
        + [Turn(long, "s", "assistant", 6, created_at=NOON + 6 * DAY)]
    )
    every = await memory.timeline()
    assert [one.created_at for one in every] == sorted(one.created_at for one in every)
    assert every[-1].text == long
    assert [one.text for one in await memory.timeline(limit=2)] == ["turn 5", long]
    since = await memory.timeline(since=NOON + 2 * DAY, until=NOON + 4 * DAY)
    assert [one.text for one in since] == ["turn 2", "turn 3"]
    assert [one.text for one in await memory.timeline(session="s", limit=1)] == ["turn 0"]
    assert (await memory.sessions())[0].turns == 7


def test_the_modules_that_read_load_numpy_only_when_they_rank():
    code = (
        "import sys, victor_memory.conversation.memory, victor_memory.context\n"
        "assert not {'numpy', 'lancedb'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


ORDERS = "The orders service uses SQLite since we left PostgreSQL"
OTHERS = [
    "The user prefers tabs over spaces in Go files", "Releases are cut on Thursdays",
    "The staging cluster lives in Frankfurt", "Invoices are kept for ten years",
    "Avoid the left-pad package", "CI needs twelve minutes on average", "Ada reviews parsers",
    "The mobile app talks GraphQL", "Feature flags come from LaunchPad", "Logs rotate at midnight",
]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3, 10, 30])
async def test_few_notes_are_found_and_noise_is_not(count):
    async with MemoryProvider(STATIC, embedder=StaticEmbedder(STATIC)) as provider:
        memory = ConversationMemory(provider, "shop")
        notes = [ORDERS, *(f"{OTHERS[n % 10]}, take {n}" for n in range(count - 1))]
        for note in notes:
            await memory.remember(note)
        for related in ("which database does the orders service use?", "orders service database"):
            found = await memory.recall(related, limit=1, min_score=DEFAULT_MIN_SCORE)
            assert texts(found) == [ORDERS], related
        if count > 1:
            found = await memory.recall("how should I indent Go code?", min_score=DEFAULT_MIN_SCORE)
            assert texts(found)[0].startswith(OTHERS[0])
        for unrelated in ("medieval falconry manuals", "who won the chess tournament of 1954?"):
            assert await memory.recall(unrelated, min_score=DEFAULT_MIN_SCORE) == [], unrelated


async def test_a_word_in_common_counts_among_few_notes_that_are_all_far():
    async with MemoryProvider(STATIC, embedder=StaticEmbedder(STATIC)) as provider:
        memory = ConversationMemory(provider, "shop")
        await memory.remember("We switched the orders service from PostgreSQL to SQLite")
        await memory.remember(OTHERS[0])
        found = await memory.recall("how should I indent Go code?", min_score=DEFAULT_MIN_SCORE)
        assert texts(found)[0] == OTHERS[0]
