"""How far sources were read: kept, and without the secrets of what was read."""

from victor_memory.transfer.model import Cursor
from victor_memory.transfer.state import NAME, Cursors


def test_what_a_reader_knows_is_kept_without_secrets(tmp_path):
    cursors = Cursors(tmp_path, "p", str)
    secret = "gh" + "p_" + "a1B2" * 9
    known = {"calls": {"t1": ["Bash", f"export GITHUB_TOKEN={secret}"]}, "next": {"s": 3}}
    source = tmp_path / "session.jsonl"
    cursors.put({(source, "claude-code"): (Cursor(10, 2, "abc", known, (1, 2, 3)), ["p"])})
    found, projects = cursors.get(source, "claude-code")
    assert projects == {"p"}
    assert found.state["next"] == {"s": 3}
    assert found.state["calls"]["t1"][1].startswith("export GITHUB_TOKEN=[redacted")
    assert (found.offset, found.line, found.check, found.seen) == (10, 2, "abc", (1, 2, 3))
    assert secret.encode() not in (tmp_path / NAME).read_bytes()
