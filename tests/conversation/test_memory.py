import asyncio
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.records import Session, Turn
from victor_memory.embedders.hashing import HashingEmbedder
from victor_memory.errors import InvalidRequestError, PluginError
from victor_memory.providers.memory import MemoryProvider
from victor_memory.redaction import Redaction

CONFIG = EmbeddingConfig(
    vector_store="memory", embedding_model_type="hashing", embedding_model="hashing-256"
)
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WORDS = [a + b for a in ("ka", "lo", "mi", "ru", "te", "so") for b in ("ren", "tal", "mok", "sip")]


class CountingProvider(MemoryProvider):
    """The reference store, which also counts what is written."""

    writes = 0

    async def _upsert(self, records):
        self.writes += 1
        await super()._upsert(records)

    async def _delete(self, ids):
        self.writes += 1
        return await super()._delete(ids)


@pytest.fixture
async def provider():
    async with CountingProvider(CONFIG, embedder=HashingEmbedder(CONFIG)) as provider:
        yield provider


@pytest.fixture
def memory(provider):
    return ConversationMemory(provider, "shop")


async def records(provider, **options):
    return [one async for batch in provider.scan(**options) for one in batch]


def texts(found):
    return [getattr(one, "memory", one).text for one in found]


def noise(count, session="noise"):
    rng = random.Random(7)
    return [
        Turn(" ".join(rng.choices(WORDS, k=12)), f"{session}-{n // 20}", "user", index=n % 20)
        for n in range(count)
    ]


# -- remembering ----------------------------------------------------------------------------------


async def test_what_is_remembered_is_recalled_whole(memory):
    done = await memory.remember(
        "We chose JWT over sessions",
        kind="decision",
        session="s1",
        role="assistant",
        agent="victor",
        source="chat",
        importance=0.9,
        tags=["auth"],
        created_at=NOON,
        metadata={"branch": "main", "votes": [1, 2]},
    )
    assert done.new
    assert done.redacted == ()
    (found,) = await memory.recall("JWT or sessions?")
    assert found.memory == done.memory
    assert await memory.get(done.memory.id) == done.memory
    assert done.memory.project == "shop"
    assert done.memory.metadata == {"branch": "main", "votes": [1, 2]}


async def test_the_same_thing_twice_is_one_memory_and_stays_as_it_was(memory, provider):
    first = await memory.remember("Tabs, not spaces", kind="preference", agent="victor")
    other = ConversationMemory(provider, "shop")
    again = await other.remember("  Tabs, not\nspaces", kind="preference", agent="other")
    assert (again.memory, again.new) == (first.memory, False)
    assert await provider.count() == 1
    assert (await memory.remember("Tabs, not spaces", kind="fact")).new


async def test_a_tag_is_found_like_a_word_of_the_text(memory):
    await memory.remember("Rotate it every ninety days", tags=["certificates"])
    await memory.remember("Rotate it every single day")
    assert texts(await memory.recall("certificate"))[0] == "Rotate it every ninety days"


async def test_turns_are_added_in_bulk_and_only_once(memory, provider):
    turns = [Turn(f"message {n}", "s", "user", index=n) for n in range(50)]
    assert await memory.add_turns(turns[:30]) == 30
    assert await memory.add_turns(turns) == 20
    assert await memory.add_turns(turns) == 0
    assert await memory.add_turns([]) == 0
    assert provider.writes == 2
    assert await provider.count() == 50


async def test_turns_without_an_index_follow_those_before_them(memory):
    await memory.add_turns([Turn("one", "s"), Turn("elsewhere", "t"), Turn("two", "s")])
    await memory.remember("three", kind="turn", session="s", role="user")
    await memory.add_turns([Turn("one", "s"), Turn("four", "s")])
    said = await memory.recent(10, session="s")
    assert sorted((one.index, one.text) for one in said) == [
        (0, "one"),
        (1, "two"),
        (2, "three"),
        (3, "four"),
    ]


async def test_the_same_words_twice_in_a_session_are_two_turns_by_their_index(memory):
    assert await memory.add_turns([Turn("yes", "s", "user"), Turn("yes", "s", "user")]) == 1
    assert await memory.add_turns([Turn("yes", "t", index=1), Turn("yes", "t", index=3)]) == 2


async def test_one_turn_that_cannot_be_kept_keeps_the_others_out(memory, provider):
    with pytest.raises(InvalidRequestError, match="at least one word"):
        await memory.add_turns([Turn("fine", "s"), Turn(" ", "s")])
    with pytest.raises(InvalidRequestError, match="takes Turn objects, not dict"):
        await memory.add_turns([{"text": "fine", "session": "s"}])
    assert await provider.count() == 0


async def test_sixteen_tasks_at_once_lose_and_duplicate_nothing(memory, provider):
    async def agent(number):
        await memory.remember("said by all of them")
        await memory.remember(f"said by {number} alone")
        await memory.add_turns([Turn(f"turn {number} {n}", "s", index=n) for n in range(5)])

    await asyncio.gather(*(agent(number) for number in range(16)))
    assert await provider.count() == 1 + 16 + 16 * 5
    assert await memory.remember("said by all of them") == await memory.remember(
        "said by all of them"
    )


@pytest.mark.parametrize(
    "text",
    [
        'it\'s "quoted" `thrice`; DROP TABLE embeddings; --',
        "日本語のテキスト、한국어, 中文 🧠👩‍💻",
        "שלום عالم \u202eright to left",
        "line\nbreak\r\n\ttab \x01\x7f \\n %s {0} ${x}",
        "¡¿…?!",
    ],
)
async def test_any_text_comes_back_as_it_was(memory, text):
    kept = await memory.remember(text, session=text, tags=[text], metadata={text: text})
    await memory.remember("something else")
    found = await memory.recall(text, session=text)
    assert [one.memory for one in found] == [kept.memory]
    assert kept.memory.text == text
    assert texts((await memory.forget(session=text)).memories) == [text]


async def test_a_long_text_is_stored_whole_and_found_by_a_word_in_its_middle(memory):
    rng = random.Random(3)
    filler = [" ".join(rng.choices(WORDS, k=10_000)) for _ in range(2)]
    text = f"{filler[0]} the zanzibar migration {filler[1]}"
    assert len(text) > 100_000
    await memory.add_turns(noise(200))
    await memory.remember(text)
    assert texts(await memory.recall("zanzibar", limit=1)) == [text]


# -- redaction ------------------------------------------------------------------------------------

KEY = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"


async def test_secrets_are_gone_before_anything_is_embedded_or_stored(memory, provider):
    done = await memory.remember(
        f"The deploy key is {KEY}, use it",
        source=f"https://bot:{KEY}@example.com/chat",
        tags=["deploy", KEY],
        metadata={"note": [KEY], "nested": {"token": "opaque12345"}, KEY: "as a name"},
    )
    await memory.add_turns([Turn("password=hunter2-now", "s"), Turn(f"again {KEY}", "s")])
    stored = await records(provider, with_vectors=True)
    everything = repr([(one.id, one.text, one.metadata, one.terms) for one in stored])
    for secret in (KEY, KEY.lower(), KEY[4:], "hunter2", "opaque12345"):
        assert secret not in everything
    assert done.memory.text == "The deploy key is [redacted:github-token], use it"
    assert "github-token" in done.redacted
    for one in stored:
        (vector,) = await provider.embedder.embed([one.text])
        assert np.array_equal(one.vector, vector)


async def test_a_secret_makes_no_difference_to_what_is_the_same(memory):
    await memory.remember("The key is " + KEY)
    assert not (await memory.remember("The key is " + KEY.replace("16C7", "99Z9"))).new


async def test_given_redactors_come_after_the_built_in_one(provider):
    def names(text):
        assert KEY not in text
        return Redaction(text.replace("Alice", "[redacted:name]"), ("name",))

    memory = ConversationMemory(provider, "shop", redactors=[names])
    done = await memory.remember(f"Alice has {KEY}", tags=["Alice"])
    assert done.memory.text == "[redacted:name] has [redacted:github-token]"
    assert done.memory.tags == ("[redacted:name]",)
    assert set(done.redacted) == {"github-token", "name"}


async def test_a_redactor_that_fails_keeps_everything_out(provider):
    def broken(text):
        if "trigger" in text:
            raise RuntimeError(text)
        return Redaction(text)

    memory = ConversationMemory(provider, "shop", redactors=[broken])
    with pytest.raises(PluginError, match="nothing was stored"):
        await memory.remember("the trigger word")
    with pytest.raises(PluginError, match="nothing was stored"):
        await memory.add_turns(
            [Turn("fine", "s"), Turn("fine too", "s", metadata={"a": "trigger"})]
        )
    assert await provider.count() == 0


async def test_a_redactor_that_leaves_nothing_leaves_nothing_to_remember(provider):
    memory = ConversationMemory(provider, "shop", redactors=[lambda _: Redaction("")])
    with pytest.raises(InvalidRequestError, match="nothing to remember"):
        await memory.remember("all of it is secret")


# -- recalling ------------------------------------------------------------------------------------


async def test_projects_never_see_each_other_unless_asked(provider):
    shop, bank = ConversationMemory(provider, "shop"), ConversationMemory(provider, "bank")
    mine = (await shop.remember("The shop uses Postgres", session="s")).memory
    theirs = (await bank.remember("The bank uses Postgres", session="s")).memory
    same = [await one.remember("Deploy on Fridays") for one in (shop, bank)]
    await bank.add_turns([Turn("Postgres it is", "s"), Turn("indeed", "s")])
    assert same[0].new
    assert same[1].new
    assert set(texts(await shop.recall("Postgres"))) == {mine.text, "Deploy on Fridays"}
    everywhere = await shop.recall("Postgres", all_projects=True)
    assert {one.memory.project for one in everywhere} == {"shop", "bank"}
    assert await shop.get(theirs.id) is None
    assert len(await shop.recent()) == 2
    assert [one.turns for one in await shop.sessions()] == [0]
    assert (await shop.status()).memories == 2
    assert (await shop.forget(ids=[theirs.id])).memories == ()
    assert len((await shop.forget(all=True)).memories) == 2
    assert await bank.get(theirs.id) == theirs


async def test_kinds_session_and_time_narrow_what_is_recalled(memory):
    for day, (kind, session) in enumerate(
        [("fact", "a"), ("decision", "a"), ("decision", "b"), ("task", None)]
    ):
        await memory.remember(
            f"deploy note {day}", kind=kind, session=session, created_at=NOON + day * DAY
        )

    async def days(**filters):
        return sorted(int(one[-1]) for one in texts(await memory.recall("deploy note", **filters)))

    assert await days() == [0, 1, 2, 3]
    assert await days(kinds="decision") == [1, 2]
    assert await days(kinds=["fact", "task"]) == [0, 3]
    assert await days(kinds=[]) == []
    assert await days(session="a") == [0, 1]
    assert await days(session="nobody's") == []
    assert await days(since=NOON + DAY) == [1, 2, 3]
    assert await days(until=NOON + DAY) == [0]
    assert await days(since=NOON + DAY, until=NOON + 3 * DAY, kinds=["decision"]) == [1, 2]


async def test_a_text_is_found_by_its_words_however_far_its_vector(memory):
    await memory.add_turns(noise(300))
    rare = "frobnicate " + " ".join(WORDS * 20)
    await memory.remember(rare)
    assert texts(await memory.recall("frobnicate", limit=1)) == [rare]


async def test_a_text_is_found_by_its_vector_without_a_common_word(memory):
    await memory.add_turns(noise(100))
    await memory.remember("prefetchers")
    found = await memory.recall("fetch", limit=1)
    assert texts(found) == ["prefetchers"]
    assert found[0].parts["lexical"] == 0


async def test_the_turn_beside_the_one_that_matches_is_found_too(memory):
    await memory.add_turns(noise(400))
    await memory.add_turns(
        [
            Turn("hello there", "dog", "user"),
            Turn("what do you call your dog nowadays?", "dog", "user"),
            Turn("Zyx!", "dog", "assistant"),
            Turn("bye", "dog", "user"),
        ]
    )
    found = {one.memory.text: one for one in await memory.recall("name to call the dog", limit=3)}
    assert "Zyx!" in found
    parts = found["Zyx!"].parts
    assert parts["lexical"] == parts["dense"] == 0
    assert parts["neighbours"] > 0


async def test_neighbours_obey_the_filters_of_the_recall(memory):
    await memory.add_turns(
        [
            Turn("what do you call your dog?", "dog", created_at=NOON),
            Turn("Zyx!", "dog", created_at=NOON + DAY),
        ]
    )
    assert texts(await memory.recall("dog", until=NOON + DAY)) == ["what do you call your dog?"]


async def test_a_note_is_not_buried_under_turns_about_the_same(memory):
    await memory.add_turns(
        [Turn(f"talking of the payment gateway, part {n}", "s", "user") for n in range(12)]
    )
    note = "The payment gateway is Adyen"
    await memory.remember(note, kind="decision")
    assert note in texts(await memory.recall("payment gateway", limit=3))


async def test_the_newer_and_the_more_important_stand_first_among_equals(memory):
    await memory.remember("port of cache is 6379", created_at=NOON - 300 * DAY)
    await memory.remember("cache is of port 6379", created_at=datetime.now(UTC))
    await memory.remember("logs go where? to stderr", importance=0.1, created_at=NOON)
    await memory.remember("where go logs? to stderr", importance=0.9, created_at=NOON)
    assert texts(await memory.recall("port of cache", limit=1)) == ["cache is of port 6379"]
    assert texts(await memory.recall("logs stderr", limit=1)) == ["where go logs? to stderr"]


async def test_scores_are_parts_of_one_and_tell_an_answer_from_none(memory):
    await memory.add_turns(noise(100))
    await memory.remember("The staging database runs Postgres 16", kind="fact")
    good = await memory.recall("which Postgres does the staging database run?", limit=20)
    assert [one.score for one in good] == sorted((one.score for one in good), reverse=True)
    for one in good:
        assert 0 <= one.score <= 1
        assert one.score == pytest.approx(sum(one.parts.values()))
    bad = await memory.recall("favourite holiday destination of the captain", limit=20)
    assert good[0].score > 0.6
    assert bad[0].score < 0.3
    assert texts(await memory.recall("staging database Postgres", min_score=0.6)) == [
        "The staging database runs Postgres 16"
    ]
    assert await memory.recall("favourite holiday destination", min_score=0.3) == []


async def test_an_empty_memory_answers_with_nothing(memory):
    assert await memory.recall("anything") == []
    assert await memory.recent() == []
    assert await memory.sessions() == []
    assert await memory.get("unknown") is None
    assert (await memory.status()).kinds == {}
    assert (await memory.forget(all=True)).memories == ()


async def test_reading_writes_nothing(memory, provider):
    await memory.add_turns([Turn("first words", "s"), Turn("second words", "s")])
    before, writes = [repr(one) for one in await records(provider)], provider.writes
    for _ in range(3):
        await memory.recall("words")
        await memory.recent()
        await memory.sessions()
        await memory.status()
        await memory.forget(all=True, dry_run=True)
    assert provider.writes == writes
    assert [repr(one) for one in await records(provider)] == before


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ({"query": ""}, "Say what to look for"),
        ({"query": " \n"}, "Say what to look for"),
        ({"query": None}, "Say what to look for"),
        ({"limit": 0}, "ask for 1 to 1000"),
        ({"limit": -1}, "ask for 1 to 1000"),
        ({"limit": 1001}, "ask for 1 to 1000"),
        ({"limit": True}, "ask for 1 to 1000"),
        ({"kinds": ["opinion"]}, "Use one of: fact"),
        ({"kinds": "opinion"}, "Use one of: fact"),
        ({"since": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001 - a time without a zone is the point
        ({"until": "2026-01-01"}, "time zone"),
        ({"min_score": 1.5}, "from 0 to 1"),
        ({"min_score": float("nan")}, "from 0 to 1"),
    ],
)
async def test_what_cannot_be_recalled_is_refused_with_the_next_step(memory, arguments, advice):
    with pytest.raises(InvalidRequestError, match=advice):
        await memory.recall(**{"query": "anything"} | arguments)


# -- listing --------------------------------------------------------------------------------------


async def test_sessions_tell_their_turns_and_times_newest_first(memory):
    await memory.add_turns(
        [Turn(f"word {n}", "old", created_at=NOON + n * DAY) for n in (2, 0, 1)]
        + [Turn("hello", "new", created_at=NOON + 9 * DAY)]
    )
    await memory.remember("a note", session="old", created_at=NOON + 3 * DAY)
    await memory.remember("a note of no session")
    assert await memory.sessions() == [
        Session("new", 1, NOON + 9 * DAY, NOON + 9 * DAY),
        Session("old", 3, NOON, NOON + 3 * DAY),
    ]


async def test_recent_is_by_time_and_then_by_place(memory):
    await memory.add_turns([Turn(f"turn {n}", "s", created_at=NOON) for n in range(4)])
    await memory.remember("older", created_at=NOON - DAY)
    assert texts(await memory.recent(3)) == ["turn 3", "turn 2", "turn 1"]
    assert texts(await memory.recent(kinds="fact")) == ["older"]
    with pytest.raises(InvalidRequestError, match="ask for 1 to 1000"):
        await memory.recent(0)


async def test_status_counts_by_kind_and_describes_the_store(memory, provider):
    await memory.add_turns([Turn("one", "s"), Turn("two", "s")])
    await memory.remember("three", kind="task")
    await ConversationMemory(provider, "other").remember("four")
    status = await memory.status()
    assert (status.project, status.memories) == ("shop", 3)
    assert status.kinds == {"task": 1, "turn": 2}
    assert (status.store.provider, status.store.records) == ("memory", 4)
    assert await memory.stats() == status.store


# -- forgetting -----------------------------------------------------------------------------------


@pytest.fixture
async def full(memory):
    notes = [
        ("The API uses JWT tokens for login", "decision", "a", NOON),
        ("JWT tokens of the API expire hourly", "fact", "b", NOON + DAY),
        ("Login page is blue", "fact", "a", NOON + 2 * DAY),
    ]
    for text, kind, session, moment in notes:
        await memory.remember(text, kind=kind, session=session, created_at=moment)
    return memory


@pytest.mark.parametrize(
    ("criteria", "gone"),
    [
        ({"session": "a"}, [0, 2]),
        ({"kind": "fact"}, [1, 2]),
        ({"before": NOON + DAY}, [0]),
        ({"query": "JWT token"}, [0, 1]),
        ({"query": "login with JWT"}, [0]),
        ({"query": "tokens for cookies"}, []),
        ({"query": "Login page is blue"}, [2]),
        ({"query": "???"}, []),
        ({"session": "a", "kind": "fact"}, [2]),
        ({"session": "a", "query": "JWT"}, [0]),
        ({"ids": []}, []),
        ({"all": True}, [0, 1, 2]),
        ({"all": True, "kind": "decision"}, [0]),
    ],
)
async def test_forgetting_takes_what_meets_every_criterion(full, provider, criteria, gone):
    before = sorted(await full.recent(), key=lambda one: one.created_at)
    expected = [before[n] for n in gone]
    rehearsed = await full.forget(**criteria, dry_run=True)
    assert (list(rehearsed.memories), rehearsed.dry_run) == (expected, True)
    assert await provider.count() == 3
    done = await full.forget(**criteria)
    assert (list(done.memories), done.dry_run) == (expected, False)
    left = await full.recent()
    assert sorted(left, key=lambda one: one.created_at) == [
        one for one in before if one not in expected
    ]


async def test_forgetting_by_id_takes_those_and_no_unknown_ones(full):
    newest, *_ = await full.recent()
    assert (await full.forget(ids=[newest.id, "unknown"])).memories == (newest,)
    assert (await full.forget(ids=[newest.id])).memories == ()
    assert newest not in await full.recent()
    assert (await full.remember(newest.text, kind="fact")).new


@pytest.mark.parametrize(
    ("criteria", "advice"),
    [
        ({}, "set all=True"),
        ({"dry_run": True}, "set all=True"),
        ({"query": " "}, "Say what to look for"),
        ({"kind": "opinion"}, "Use one of"),
        ({"before": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001 - a time without a zone is the point
        ({"ids": "abc"}, r"Write \['abc'\]"),
    ],
)
async def test_what_is_not_clearly_to_be_forgotten_is_kept(full, provider, criteria, advice):
    with pytest.raises(InvalidRequestError, match=advice):
        await full.forget(**criteria)
    assert await provider.count() == 3


@pytest.mark.parametrize("project", ["", " ", None, 3])
async def test_a_memory_has_a_project(provider, project):
    with pytest.raises(InvalidRequestError, match="name the project"):
        ConversationMemory(provider, project)
