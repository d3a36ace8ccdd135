import asyncio
import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.conversation import fence, lineage
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.parts import PART, part_ids, split
from victor_memory.conversation.records import USER, Turn, from_record, new_memory, to_record
from victor_memory.conversation.selecting import visible
from victor_memory.embedders.hashing import HashingEmbedder
from victor_memory.errors import EmbeddingError, InvalidRequestError
from victor_memory.filters import And
from victor_memory.providers.memory import MemoryProvider
from victor_memory.types import Record

CONFIG = EmbeddingConfig(
    vector_store="memory", embedding_model_type="hashing", embedding_model="hashing-256"
)
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LONG = "A long turn has many sentences, and this is one of them. " * 80


def store():
    return MemoryProvider(CONFIG, embedder=HashingEmbedder(CONFIG))


@pytest.fixture
async def provider():
    async with store() as provider:
        yield provider


@pytest.fixture
async def user():
    async with store() as provider:
        yield provider


@pytest.fixture
def memory(provider, user):
    return ConversationMemory(provider, "shop", user=user)


async def stored(provider, where=None):
    return [from_record(one) async for batch in provider.scan(where) for one in batch]


async def links(memory):
    return await lineage.links(*memory.sources[0])


# -- what a turn and a note are -------------------------------------------------------------------


async def test_every_field_of_a_turn_is_kept(memory, provider):
    turn = Turn(
        "Read the file", "s", "tool", 7, NOON, "victor", "import", 0.3, ["t"], ["abc"], {"k": 1},
        speaker="Ada", tool="read_file", branch="main", worktree="/w", files=["a.py@0123456789abcdef"],
        commits=["0123abc"],
    )  # fmt: skip
    assert await memory.add_turns([turn]) == 1
    (kept,) = await stored(provider)
    for name in ("speaker", "tool", "branch", "worktree", "role", "index", "agent", "source"):
        assert getattr(kept, name) == getattr(turn, name)
    assert (kept.files, kept.commits) == (tuple(turn.files), tuple(turn.commits))
    assert (kept.tags, kept.links, kept.metadata) == (("t",), ("abc",), {"k": 1})
    assert (kept.kind, kept.scope, kept.parts, kept.created_at) == ("turn", "project", 1, NOON)


async def test_a_record_of_an_older_version_is_read(memory, provider):
    old = Record(
        "0" * 32,
        "We chose JWT",
        (await provider.embedder.embed(["We chose JWT"]))[0],
        {"kind": "decision", "project": "shop", "importance": 0.5, "created_ts": 0.0,
         "created_at": "2026-01-15T12:00:00+00:00"},
    )  # fmt: skip
    await provider.upsert([old])
    found = await memory.get(old.id)
    assert (found.text, found.scope, found.part, found.parts) == ("We chose JWT", "project", 0, 1)
    assert (found.supersedes, found.files, found.branch) == ((), (), None)
    assert [one.memory.id for one in await memory.recall("JWT")] == [old.id]


async def test_the_same_note_has_the_id_it_always_had(memory):
    done = await memory.remember("We chose JWT", kind="decision", branch="b", files=["x@0"])
    assert done.memory.id == "4d9c10aec42e7c6db5305b12337685be"


async def test_a_speaker_is_found_like_a_word_of_what_was_said(memory, provider):
    await memory.add_turns([Turn("It was lovely", "s", speaker="Zuleika"), Turn("It was so", "s")])
    hits = await provider.search_text("Zuleika")
    assert [one.text for one in hits] == ["It was lovely"]


@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        ({"scope": "planet"}, "Use one of: project, user"),
        ({"scope": "session"}, "Give session=NAME"),
        ({"scope": "agent", "session": "s"}, "Give agent=NAME"),
        ({"scope": "user", "kind": "turn", "session": "s"}, "A turn belongs to its project"),
        ({"commits": ["HEAD"]}, "7 to 64 hexadecimal digits"),
        ({"commits": "0123abc"}, "give a list of strings"),
        ({"files": [""]}, "non-empty string"),
        ({"branch": " "}, "leave it out"),
        ({"supersedes": ["x"], "kind": "turn", "session": "s"}, "supersedes nothing"),
        ({"supersedes": ["unknown"]}, "not remembered here"),
    ],
)
async def test_what_cannot_be_kept_is_refused_with_the_next_step(memory, provider, fields, advice):
    with pytest.raises(InvalidRequestError, match=advice):
        await memory.remember("some text", **fields)
    assert await provider.count() == 0


# -- duplicates -----------------------------------------------------------------------------------


async def test_a_note_in_another_form_is_the_same_note(memory, provider):
    first = await memory.remember("We use Postgres 16 for staging")
    again = await memory.remember("for staging, we are using Postgres 16!")
    assert (again.new, again.memory) == (False, first.memory)
    assert await provider.count() == 1


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("We use Postgres 15 for staging", "task"),
        ("We do not use Postgres 16 for staging", "task"),
        ("We use MySQL 16 for staging", "task"),
        ("We use Postgres 16 for production", "task"),
        ("We use Postgres 16 for staging", "fact"),
    ],
)
async def test_a_note_that_says_something_else_is_another(memory, text, kind):
    await memory.remember("We use Postgres 16 for staging", kind="task")
    done = await memory.remember(text, kind=kind)
    assert (done.new, done.superseded) == (True, ())


async def test_what_is_about_the_same_is_reported_but_kept(memory):
    first = await memory.remember("The billing service uses Redis for its cache")
    done = await memory.remember("The billing service uses Redis for its cache and its queue")
    assert (done.new, done.superseded) == (True, ())
    assert done.similar == (first.memory,)
    assert (await memory.remember("Lunch is at noon")).similar == ()


async def test_a_turn_is_never_a_duplicate_of_another_turn(memory, provider):
    await memory.add_turns([Turn("We use Postgres for staging", "s", index=0)])
    await memory.add_turns([Turn("for staging we use Postgres", "s", index=1)])
    await memory.remember("We use Postgres for staging")
    assert await provider.count() == 3


# -- superseding ----------------------------------------------------------------------------------


async def test_a_changed_fact_takes_the_place_of_the_old_one_which_stays(memory, provider):
    old = await memory.remember("The API port is 8080", created_at=NOON)
    new = await memory.remember("The API port is 9090", created_at=NOON + DAY)
    assert new.superseded == (old.memory,)
    assert new.memory.supersedes == (old.memory.id,)
    assert await memory.get(old.memory.id) == old.memory
    assert await links(memory) == {old.memory.id: new.memory.id}
    assert (await memory.get(new.memory.id)).supersedes == (old.memory.id,)
    assert await provider.count() == 2


async def test_a_chain_of_changes_leads_to_the_last(memory):
    ids = [
        (await memory.remember(f"The API port is {port}", created_at=NOON + n * DAY)).memory.id
        for n, port in enumerate((8080, 8181, 8282))
    ]
    found = await links(memory)
    assert found == {ids[0]: ids[1], ids[1]: ids[2]}
    assert lineage.latest(ids[0], found) == ids[2]
    assert await lineage.superseded(*memory.sources[0], [ids[1], ids[2]]) == {ids[1]: ids[2]}


async def test_what_was_superseded_and_is_said_again_holds_again(memory, provider):
    first = await memory.remember("Force pushes are allowed", created_at=NOON)
    second = await memory.remember("Force pushes are not allowed", created_at=NOON + DAY)
    third = await memory.remember("Force pushes are allowed", created_at=NOON + 2 * DAY)
    assert third.new
    assert third.memory.id != first.memory.id
    assert third.superseded == (second.memory,)
    again = await memory.remember("Force pushes are allowed", created_at=NOON + 3 * DAY)
    assert (again.new, again.memory.id) == (False, third.memory.id)
    fourth = await memory.remember("Force pushes are not allowed", created_at=NOON + 4 * DAY)
    assert fourth.superseded == (third.memory,)
    found = await links(memory)
    assert {lineage.latest(one, found) for one in found} == {fourth.memory.id}
    assert await provider.count() == 4


async def test_an_older_note_added_later_takes_no_place(memory):
    await memory.remember("The API port is 9090", created_at=NOON)
    done = await memory.remember("The API port is 8080", created_at=NOON - DAY)
    assert (done.new, done.superseded) == (True, ())


@pytest.mark.parametrize("kinds", [("task", "task"), ("error_fix", "fact"), ("summary", "summary")])
async def test_only_what_says_how_things_are_is_superseded_by_itself(memory, kinds):
    await memory.remember("The API port is 8080", kind=kinds[0])
    assert not (await memory.remember("The API port is 9090", kind=kinds[1])).superseded


async def test_whatever_the_caller_names_is_superseded(memory):
    turn = "We might want Kafka at some point"
    await memory.add_turns([Turn(turn, "s", index=0)])
    (said,) = await memory.recent()
    note = await memory.remember("Queues are a topic for next year", kind="task")
    done = await memory.remember("RabbitMQ it is", supersedes=[said.id, note.memory.id])
    assert set(await links(memory)) == {said.id, note.memory.id}
    assert {one.id for one in done.superseded} == {said.id, note.memory.id}
    assert not (await memory.remember("RabbitMQ it is", supersedes=[said.id])).new


async def test_naming_more_to_supersede_later_is_kept_too(memory, provider):
    one = await memory.remember("Builds run nightly at the office")
    done = await memory.remember("Everything is built by GitHub")
    again = await memory.remember("Everything is built by GitHub", supersedes=[one.memory.id])
    assert again.new
    found = await links(memory)
    assert lineage.latest(one.memory.id, found) == again.memory.id
    assert lineage.latest(done.memory.id, found) == again.memory.id
    repeated = await memory.remember("Everything is built by GitHub", supersedes=[one.memory.id])
    assert (repeated.new, repeated.memory.id) == (False, again.memory.id)
    assert await provider.count() == 3


async def test_a_memory_cannot_supersede_itself(memory):
    done = await memory.remember("We use Postgres")
    with pytest.raises(InvalidRequestError, match="this memory itself"):
        await memory.remember("We use Postgres", supersedes=[done.memory.id])


async def test_what_is_forgotten_supersedes_nothing_any_more(memory):
    old = await memory.remember("The API port is 8080", created_at=NOON)
    new = await memory.remember("The API port is 9090", created_at=NOON + DAY)
    await memory.forget(ids=[new.memory.id])
    assert await links(memory) == {}
    assert not (await memory.remember("The API port is 8080")).new
    assert await memory.get(old.memory.id) == old.memory


# -- scopes ---------------------------------------------------------------------------------------


async def test_what_is_for_all_projects_is_kept_apart_and_found_from_each(memory, provider, user):
    done = await memory.remember("Answer in German", kind="preference", scope="user")
    assert (done.memory.project, done.memory.scope) == (USER, "user")
    assert (await provider.count(), await user.count()) == (0, 1)
    other = ConversationMemory(provider, "bank", user=user)
    assert await other.get(done.memory.id) == done.memory
    assert not (await other.remember("Answer in German", kind="preference", scope="user")).new
    stranger = ConversationMemory(provider, "bank")
    assert await stranger.get(done.memory.id) is None


async def test_without_a_collection_of_the_user_nothing_is_stored_elsewhere(provider):
    memory = ConversationMemory(provider, "shop")
    with pytest.raises(InvalidRequestError, match="Use another scope"):
        await memory.remember("Answer in German", scope="user")
    assert await provider.count() == 0


async def test_a_note_of_one_session_or_agent_is_hidden_from_others(memory, provider):
    text = "Only here the tests are run twice"
    notes = [
        await memory.remember(text),
        await memory.remember(text, scope="session", session="s"),
        await memory.remember(text, scope="session", session="t"),
        await memory.remember(text, scope="agent", agent="victor"),
    ]
    assert [one.new for one in notes] == [True] * 4

    async def seen(**who):
        found = await stored(provider, visible(**who))
        return [one.memory.id in {kept.id for kept in found} for one in notes]

    assert await seen() == [True, False, False, False]
    assert await seen(session="s") == [True, True, False, False]
    assert await seen(session="u", agent="victor") == [True, False, False, True]


async def test_a_private_note_supersedes_no_common_one_and_is_superseded_by_none(memory):
    await memory.remember("The API port is 8080")
    mine = await memory.remember("The API port is 9090", scope="session", session="s")
    assert mine.superseded == ()
    assert (await memory.remember("The API port is 7070")).superseded != (mine.memory,)
    again = await memory.remember("The API port is 6060", scope="session", session="s")
    assert again.superseded == (mine.memory,)


# -- long texts -----------------------------------------------------------------------------------


async def test_a_long_turn_is_stored_in_parts_and_is_one_turn(memory, provider):
    turns = [Turn("first", "s"), Turn(LONG, "s"), Turn("third", "s")]
    assert await memory.add_turns(turns) == 3
    kept = await stored(provider)
    assert len(kept) == 2 + len(split(await whole(memory, kept)))
    assert all(len(one.text) <= PART for one in kept)
    assert await memory.add_turns(turns) == 0
    assert (await memory.status()).memories == 3
    await memory.add_turns([Turn("fourth", "s")])
    assert sorted({one.index for one in await stored(provider)}) == [0, 1, 2, 3]


async def whole(memory, kept):
    (identifier,) = {one.id for one in kept if one.parts > 1 and one.part == 0}
    found = await memory.get(identifier)
    assert found.text == LONG
    assert part_ids(found)[0] == identifier
    assert await memory.get(part_ids(found)[-1]) == found
    return found


async def test_a_long_note_is_whole_again_when_it_is_asked_for(memory, provider):
    done = await memory.remember(LONG, kind="summary")
    assert await provider.count() > 1
    again = await memory.remember(LONG, kind="summary")
    assert (again.new, again.memory.text) == (False, LONG)
    assert (await memory.get(done.memory.id)).text == LONG


async def test_each_part_has_the_vector_of_its_own_text(memory, provider):
    await memory.add_turns([Turn(LONG + "The zanzibar migration failed.", "s")])
    found = await provider.search(
        (await provider.embedder.embed(["The zanzibar migration failed."]))[0], limit=1
    )
    assert "zanzibar" in found[0].text
    assert found[0].metadata["part"] == found[0].metadata["parts"] - 1


# -- our own output -------------------------------------------------------------------------------


async def test_what_we_handed_out_is_not_stored_when_it_comes_back(memory, provider):
    fenced = fence.wrap("We use Postgres 16 for the staging database")
    stored_now = await memory.add_turns(
        [
            Turn(fenced, "s", "user", 0),
            Turn(f"{fenced}\nSo which port?", "s", "user", 1),
            Turn('{"results": []}', "s", "tool", 2, tool="mcp__memory__memory_recall"),
            Turn("5432", "s", "assistant", 3),
        ]
    )
    assert stored_now == 2
    assert [one.text for one in sorted(await stored(provider), key=lambda one: one.index)] == [
        "So which port?",
        "5432",
    ]


async def test_what_was_recalled_and_is_pasted_back_is_not_stored_again(memory, provider):
    note = "We use Postgres 16 for the staging database, and nothing else"
    await memory.remember(note)
    pasted = Turn(f"> {note}", "s", "user", 0)
    assert await memory.add_turns([pasted]) == 1
    await memory.recall("staging database")
    again = [Turn(f"> {note}", "t", "user", 0), Turn(f"{note}\nIs that still so today?", "t")]
    assert await memory.add_turns([*again, Turn("Is it still so?", "t", index=2)]) == 2
    assert await provider.count() == 4


# -- many turns, failures -------------------------------------------------------------------------


async def test_more_turns_than_a_batch_are_all_stored(memory, provider, monkeypatch):
    monkeypatch.setattr("victor_memory.conversation.writing.BATCH", 7)
    assert await memory.add_turns(Turn(f"turn {n}", "s", index=n) for n in range(40)) == 40
    assert sorted(one.index for one in await stored(provider)) == list(range(40))


async def test_a_failing_model_is_the_error_that_is_raised(memory, provider, monkeypatch):
    async def fail(*_, **__):
        msg = "away"
        raise EmbeddingError(msg)

    monkeypatch.setattr(provider.embedder, "embed", fail)
    with pytest.raises(EmbeddingError, match="away"):
        await memory.add_turns([Turn("hello", "s")])


async def test_stored_records_say_when_they_were_written(memory, provider):
    await memory.add_turns([Turn("hello", "s", created_at=NOON)])
    await memory.remember("a note", created_at=NOON)
    times = [one.metadata["stored_ts"] async for batch in provider.scan() for one in batch]
    now = datetime.now(UTC).timestamp()
    assert all(now - 600 < one <= now for one in times)


# -- restoring ------------------------------------------------------------------------------------


async def test_what_is_restored_is_equal(memory, provider, user):
    await memory.add_turns([Turn("one", "s"), Turn(LONG, "s"), Turn("two", "s", speaker="Ada")])
    old = await memory.remember("The API port is 8080", tags=["net"], files=["x@0"], branch="b")
    await memory.remember("The API port is 9090", metadata={"k": [1]})
    await memory.remember("Answer in German", scope="user")
    everything = [one for one in await stored(provider) if one.part == 0] + await stored(user)
    everything = [await memory.get(one.id) for one in everything]
    async with store() as fresh, store() as fresh_user:
        copy = ConversationMemory(fresh, "shop", user=fresh_user)
        assert await copy.restore(everything) == len(everything) == 6
        assert await copy.restore(everything) == 0
        assert sorted(map(repr, await stored(fresh))) == sorted(map(repr, await stored(provider)))
        assert list(map(repr, await stored(fresh_user))) == list(map(repr, await stored(user)))
        assert await links(copy) == {old.memory.id: (await links(memory))[old.memory.id]}


async def test_a_secret_in_what_is_restored_is_removed(memory, provider):
    done = await memory.remember("The key is secret")
    key = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    leaked = from_record(to_record(done.memory))
    leaked = type(leaked)(**{n: getattr(leaked, n) for n in leaked.__slots__} | {"text": key})
    await memory.forget(all=True)
    await memory.restore([leaked])
    (kept,) = await stored(provider)
    assert kept.text == "[redacted:github-token]"
    assert kept.id != leaked.id


# -- files, commits, branch -----------------------------------------------------------------------


def git(root, *arguments):
    identity = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")}  # fmt: skip
    done = subprocess.run(
        ["git", "-C", root, *arguments], check=True, capture_output=True, text=True,
        encoding="utf-8", env={**os.environ, **identity},
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path):
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "auth.py").write_text("def check(): ...\n", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


@pytest.fixture
def here(provider, root):
    return ConversationMemory(provider, "shop", root=root)


async def test_a_note_knows_where_it_was_taken(here, root):
    kept = (await here.remember("Auth is in auth.py", files=["auth.py"])).memory
    assert (kept.branch, kept.worktree) == ("main", str(root))
    (link,) = kept.files
    assert link == lineage.file_link(root, str(root / "auth.py"))
    assert link.startswith("auth.py@")
    assert await lineage.stale([kept], root) == {}
    other = (await here.remember("Something else", branch="dev", worktree="/x")).memory
    assert (other.branch, other.worktree) == ("dev", "/x")
    git(root, "checkout", "-q", "--detach")
    assert (await here.remember("On no branch")).memory.branch is None


async def test_a_note_on_a_file_that_changed_or_went_is_stale(here, root):
    kept = (await here.remember("Auth is in auth.py", files=["auth.py"])).memory
    (root / "auth.py").write_text("def check(): pass\n", encoding="utf-8")
    assert await lineage.stale([kept], root) == {kept.id: ("auth.py has changed",)}
    assert await lineage.stale([kept], None) == {}
    (root / "auth.py").unlink()
    assert await lineage.stale([kept], root) == {kept.id: ("auth.py is gone",)}
    (root / "auth.py").write_text("def check(): ...\n", encoding="utf-8")
    assert await lineage.stale([kept], root) == {}


async def test_what_holds_in_all_projects_is_not_compared_with_this_one(provider, user, root):
    here = ConversationMemory(provider, "shop", user=user, root=root)
    kept = (await here.remember("Use dotfiles", scope="user", files=[".profile"])).memory
    assert (kept.files, kept.branch, kept.worktree) == ((".profile",), None, None)
    ours = await here.restore([new_memory("x", project="shop", files=[".profile"])])
    (told,) = [one for one in await stored(provider) if one.text == "x"]
    assert (ours, await lineage.stale([told], root)) == (1, {told.id: (".profile is gone",)})
    assert await lineage.stale([kept], root) == {}


async def test_a_note_on_a_commit_that_is_in_no_branch_is_stale(here, root):
    first = git(root, "rev-parse", "HEAD")
    (root / "auth.py").write_text("new\n", encoding="utf-8")
    git(root, "commit", "-q", "-a", "-m", "second")
    second = git(root, "rev-parse", "HEAD")
    kept = (await here.remember("Done", commits=[first, second[:10]])).memory
    assert await lineage.stale([kept], root) == {}
    git(root, "reset", "-q", "--hard", first)
    why = await lineage.stale([kept], root)
    assert why == {kept.id: (f"commit {second[:10]} is in no branch any more",)}
    unknown = (await here.remember("Elsewhere", commits=["f" * 40])).memory
    assert list(await lineage.stale([unknown], root)) == [unknown.id]


@pytest.mark.parametrize("file", ["absent.py", "../outside.py"])
async def test_a_file_that_is_not_there_cannot_be_linked(here, provider, root, file):
    (root.parent / "outside.py").write_text("x", encoding="utf-8")
    with pytest.raises(InvalidRequestError, match="Name a file below"):
        await here.remember("Auth is there", files=[file])
    assert await provider.count() == 0


async def test_many_tasks_that_say_the_same_leave_one_note(memory, provider):
    await asyncio.gather(*(memory.remember("The API port is 8080") for _ in range(12)))
    assert await provider.count() == 1


async def test_filters_of_sources_find_nothing_of_others(memory, provider):
    await ConversationMemory(provider, "bank").remember("The bank's note")
    ours = memory.sources[0]
    assert await stored(ours.provider, And((ours.owner, visible()))) == []
