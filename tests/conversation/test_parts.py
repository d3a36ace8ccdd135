import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_memory.conversation.parts import (
    LONGEST_BLOCK,
    PART,
    join,
    part_ids,
    pieces,
    split,
    whole_id,
)
from victor_memory.conversation.records import new_memory

PROSE = "Some words of a sentence that goes on for a while. "
FRAGMENTS = ["word ", "a. ", "\n", "\n\n", "```py\n", "```\n", "~~~\n", " ", "日本。", "x" * 1500]


def turn(text):
    return new_memory(text, project="p", kind="turn", session="s", index=3, tags=["t"])


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=200))
def test_the_parts_of_a_text_joined_are_the_text(fragments):
    text = "".join(fragments)
    found = pieces(text + "end")
    assert "".join(found) == text + "end"
    assert all(one.strip() for one in found)


def test_a_short_text_is_one_part_as_it_was():
    memory = turn("short " * 100)
    assert split(memory) == [memory]


def test_a_long_text_is_several_under_ids_of_one():
    memory = turn(PROSE * 100)
    parts = split(memory)
    assert [one.part for one in parts] == list(range(len(parts)))
    assert {one.parts for one in parts} == {len(parts)}
    assert max(len(one.text) for one in parts) <= PART
    assert min(len(one.text) for one in parts) > PART / 2
    assert parts[0].id == memory.id
    assert [one.id for one in parts] == part_ids(parts[2])
    assert {whole_id(one.id) for one in parts} == {memory.id}
    assert {(one.session, one.index, one.tags) for one in parts} == {("s", 3, ("t",))}
    whole = join(reversed(parts))
    assert (whole.id, whole.text, whole.part) == (memory.id, memory.text, 0)


def test_a_part_ends_with_a_paragraph_else_a_sentence():
    paragraphs = [PROSE * 6 + "\n\n" for _ in range(12)]
    assert all(one.endswith("\n\n") for one in pieces("".join(paragraphs)))
    assert all(one.endswith(". ") for one in pieces(PROSE * 60))


@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_a_code_block_is_kept_whole_beyond_the_size_of_a_part(fence):
    block = f"{fence}python\n" + "print('one line of code')\n\n" * 100 + f"{fence}\n"
    assert PART < len(block) < LONGEST_BLOCK
    found = pieces(PROSE * 30 + "\n" + block + PROSE * 30)
    assert [block in one for one in found].count(True) == 1


def test_a_code_block_of_the_size_of_a_file_is_cut_between_lines():
    block = "```\n" + "".join(f"line number {n} of the file\n" for n in range(2000)) + "```\n"
    found = pieces(block)
    assert len(found) > 1
    assert all(one.endswith("\n") for one in found)


def test_a_code_block_that_never_ends_is_text():
    found = pieces("```\n" + PROSE * 100)
    assert max(map(len, found)) <= PART
