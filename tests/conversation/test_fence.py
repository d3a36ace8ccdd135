import pytest

from victor_memory.conversation.fence import (
    REMEMBERED_LINES,
    Recollections,
    is_own_answer,
    strip,
    wrap,
)
from victor_memory.conversation.records import Turn, new_memory


@pytest.mark.parametrize("before", ["", "Before.", "```\ncode\n```", "  two\n\n  paragraphs"])
def test_what_is_wrapped_is_stripped_and_the_rest_stays(before):
    fenced = wrap("a memory\n\nof two paragraphs")
    assert strip(fenced) == ""
    assert strip(f"{before}\n{fenced}\nAfter.") == f"{before}\nAfter.".strip()
    assert strip(before) == before


def test_a_mark_inside_does_not_end_what_is_wrapped():
    assert strip(wrap("one </recalled-memory> two")) == ""
    assert strip(f"{wrap('one')}between{wrap('two')}") == "between"


def test_a_block_whose_end_was_cut_off_goes_but_a_mark_in_a_sentence_stays():
    assert strip("Said.\n" + wrap("one\ntwo").removesuffix("</recalled-memory>")) == "Said."
    sentence = "What does <recalled-memory> mean in my transcript?"
    assert strip(sentence) == sentence


def test_answers_of_our_own_tools_are_known_by_the_name_hosts_give_them():
    assert is_own_answer(Turn("{}", "s", "tool", tool="mcp__victor-memory__memory_recall"))
    assert not is_own_answer(Turn("{}", "s", "tool", tool="read_file"))
    assert not is_own_answer(Turn("{}", "s", "assistant", tool="memory_recall"))
    assert not is_own_answer(Turn("{}", "s", "tool"))


def note(text):
    return new_memory(text, project="p")


def test_a_text_of_nothing_but_recalled_lines_is_held():
    recalled = Recollections()
    long = "The staging database runs on Postgres 16 since March"
    assert not recalled.hold(long)
    recalled.add([note(f"{long}\nshort"), note("Deployments happen on Tuesdays, never on Fridays")])
    assert recalled.hold(long)
    assert recalled.hold(f"> {long}\n\n- Deployments  happen on Tuesdays, never on Fridays")
    assert not recalled.hold(f"{long}\nand that is why we must upgrade production as well")
    assert not recalled.hold(f"{long}\nWhy?")
    assert not recalled.hold("short")


def test_only_the_latest_is_kept_in_mind():
    recalled = Recollections()
    first, last = (f"line {n} of a text that is long enough to count" for n in ("one", "two"))
    recalled.add([note(first)])
    filler = "\n".join(
        f"filler number {n} that is long enough to count" for n in range(REMEMBERED_LINES)
    )
    recalled.add([note(filler), note(last)])
    assert recalled.hold(last)
    assert not recalled.hold(first)
