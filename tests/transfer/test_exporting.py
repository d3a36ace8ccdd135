"""What is exported is readable, and imports back to an equal memory."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from victor_memory.config import EmbeddingConfig
from victor_memory.conversation import parts
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.records import Turn, from_record
from victor_memory.embedders.hashing import HashingEmbedder
from victor_memory.errors import InvalidRequestError
from victor_memory.providers.memory import MemoryProvider
from victor_memory.transfer.exporting import exported
from victor_memory.transfer.formats import detect
from victor_memory.transfer.importing import Importer
from victor_memory.transfer.places import Source
from victor_memory.transfer.state import Cursors

CONFIG = EmbeddingConfig(vector_store="memory", embedding_model_type="hashing")
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def memory_of(project="shop"):
    provider = MemoryProvider(CONFIG, embedder=HashingEmbedder(CONFIG))
    return ConversationMemory(provider, project)


async def records(memory):
    found = [from_record(one) async for batch in memory.provider.scan() for one in batch]
    return {one.id: one for one in found}


async def export_to(path, memory, form="jsonl", **options):
    text = "".join([piece async for piece in exported(memory, form, **options)])
    path.write_text(text, encoding="utf-8")
    return text


async def import_from(path, memory, **options):
    importer = Importer(lambda _: memory, Cursors(None, "x", str), memory.project, **options)
    return await importer.run([Source(path)])


async def filled():
    memory = memory_of()
    old = await memory.remember(
        "The service listens on port 8080", kind="decision", created_at=NOON
    )
    new = await memory.remember(
        "The service listens on port 9090", kind="decision", created_at=NOON + timedelta(days=1),
        supersedes=[old.memory.id], tags=["ports"], metadata={"votes": [1, 2]},
    )  # fmt: skip
    await memory.add_turns([
        Turn("first", "s", "user"), Turn("second", "s", "assistant", tool="t", branch="b"),
        Turn("first", "s", "user", index=7, created_at=NOON, speaker="Ann", files=["a.py@0123456789abcdef"]),
        Turn("A long one.\n\n" + "word " * 900 + "\n```\ncode\n```", "t", "user", commits=["abcdef1"]),
    ])  # fmt: skip
    return memory, old.memory, new.memory


async def test_an_export_imports_to_an_equal_memory(tmp_path):
    memory, old, new = await filled()
    text = await export_to(tmp_path / "all.jsonl", memory)
    assert detect(tmp_path / "all.jsonl").name == "victor-memory"
    other = memory_of()
    report = await import_from(tmp_path / "all.jsonl", other)
    assert (report.new, report.problems) == (6, [])
    assert await records(other) == await records(memory)
    assert (await other.get(new.id)).supersedes == (old.id,)
    assert await export_to(tmp_path / "again.jsonl", other) == text
    assert (await import_from(tmp_path / "again.jsonl", memory)).new == 0


async def test_one_session_is_exported_alone(tmp_path):
    memory, *_ = await filled()
    text = await export_to(tmp_path / "s.jsonl", memory, session="s")
    assert [json.loads(line).get("session") for line in text.splitlines()] == [None, "s", "s", "s"]


async def test_another_project_gets_ids_of_its_own_and_keeps_what_supersedes_what(tmp_path):
    memory, *_ = await filled()
    await export_to(tmp_path / "all.jsonl", memory)
    other = memory_of("workshop")
    report = await import_from(tmp_path / "all.jsonl", other)
    assert (report.new, report.left_out, report.elsewhere) == (0, 6, {"shop"})
    report = await import_from(tmp_path / "all.jsonl", other, into=True)
    assert (report.new, report.left_out) == (6, 0)
    moved = await records(other)
    assert {one.project for one in moved.values()} == {"workshop"}
    assert not set(moved) & set(await records(memory))
    by_text = {one.text: one for one in moved.values()}
    old, new = (
        by_text["The service listens on port 8080"],
        by_text["The service listens on port 9090"],
    )
    assert new.supersedes == (old.id,)
    # The ids are those that the same things said in that project have.
    assert not (await other.remember("The service listens on port 9090", kind="decision")).new
    assert (
        await other.add_turns([Turn("first", "s", "user"), Turn("first", "s", "user", index=7)])
        == 0
    )
    assert (await import_from(tmp_path / "all.jsonl", other, into=True)).new == 0


async def test_secrets_in_a_foreign_export_are_not_stored(tmp_path):
    memory, *_ = await filled()
    text = await export_to(tmp_path / "all.jsonl", memory)
    secret = "ghp_" + "a1B2" * 9
    (tmp_path / "all.jsonl").write_text(
        text.replace('"first"', f'"the token {secret}"'), encoding="utf-8"
    )
    other = memory_of()
    await import_from(tmp_path / "all.jsonl", other)
    assert secret not in str(await records(other))


async def test_lines_that_are_no_memories_are_told(tmp_path):
    memory, *_ = await filled()
    lines = (await export_to(tmp_path / "all.jsonl", memory)).splitlines()
    lines[1] = (
        '{"id": "x", "kind": "opinion", "text": "t", "created_at": "2026-01-01T00:00:00+00:00"}'
    )
    lines[2] = '{"id": "x", "text": "no kind or time"}'
    (tmp_path / "all.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = await import_from(tmp_path / "all.jsonl", memory_of())
    assert (report.new, [one.line for one in report.problems]) == (4, [2, 3])
    later = "\n".join(lines).replace("export/1", "export/99")
    (tmp_path / "all.jsonl").write_text(later, encoding="utf-8")
    report = await import_from(tmp_path / "all.jsonl", memory_of())
    assert "pip install --upgrade" in report.problems[0].reason


async def test_markdown_is_for_reading(tmp_path):
    memory, old, new = await filled()
    text = await export_to(tmp_path / "all.md", memory, "markdown")
    assert text.startswith("# Memory of shop\n\n## Session s\n")
    assert text.index("## Session s") < text.index("## Session t") < text.index("## Notes")
    assert "### decision - 2026-01-16 12:00:00 UTC\n\n- id: `" + new.id in text
    assert f"- supersedes: {old.id}\n" in text
    assert "### Ann - 2026-01-15 12:00:00 UTC\n" in text
    assert "word word" in text
    with pytest.raises(InvalidRequestError, match="Use one of: jsonl, markdown"):
        await export_to(tmp_path / "x", memory, "html")


names = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12
).filter(str.strip)
texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=60),
    st.integers(1, 400).map(lambda n: "some words and a line\n" * n),
).filter(str.strip)
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is the other argument
turns = st.builds(
    Turn, texts, st.sampled_from(["s", "t"]), st.none() | names, st.none() | st.integers(0, 50), times,
    agent=st.none() | names, importance=st.floats(0, 1), tags=st.lists(names, max_size=2),
    metadata=st.dictionaries(names, st.one_of(st.integers(-5, 5), st.text("ab ", max_size=5)), max_size=2),
    speaker=st.none() | names, tool=st.none() | names, branch=st.none() | names,
)  # fmt: skip
notes = st.fixed_dictionaries({
    "text": texts, "kind": st.sampled_from(["fact", "decision", "task"]), "created_at": times,
    "importance": st.floats(0, 1), "tags": st.lists(names, max_size=2),
})  # fmt: skip


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(turns, max_size=6), st.lists(notes, max_size=4))
async def test_whatever_is_remembered_comes_back_equal(tmp_path, said, noted):
    memory, other = memory_of(), memory_of()
    await memory.add_turns(said)
    for one in noted:
        await memory.remember(**one)
    path = tmp_path / "all.jsonl"
    text = await export_to(path, memory)
    report = await import_from(path, other)
    assert report.problems == []
    kept = await records(memory)
    assert await records(other) == kept
    assert report.new == len({parts.whole_id(one) for one in kept})
    assert await export_to(path, other) == text
