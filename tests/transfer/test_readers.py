"""Each format as agents write it, read into turns: fixtures by hand, in the real shapes."""

import json
import sqlite3
from datetime import UTC, datetime

import pytest
from transcripts import claude, codex, codex_message, lines, write

from victor_memory.conversation.records import Turn
from victor_memory.errors import InvalidRequestError, TransferError
from victor_memory.transfer.formats import READERS, detect, named
from victor_memory.transfer.model import Note


def read(path, since=None, size=100, reader=None):
    batches = list((reader or detect(path)).batches(path, since, size))
    entries = [one for batch in batches for one in batch.entries]
    problems = [one for batch in batches for one in batch.problems]
    return entries, problems, batches[-1].cursor


def turns(path, **options):
    entries, problems, _ = read(path, **options)
    assert problems == []
    return [
        (one.said.session, one.said.index, one.said.role, one.said.text)
        for one in entries
        if isinstance(one.said, Turn)
    ]


def notes(path):
    return [
        (one.said.session, one.said.text) for one in read(path)[0] if isinstance(one.said, Note)
    ]


# -- Claude Code ------------------------------------------------------------------------------------


def test_claude_code_keeps_what_was_said_and_done(tmp_path):
    path = write(tmp_path / "s1.jsonl", lines(
        {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}},
        claude(0, "user", "Why does login fail?", cwd="/repo"),
        claude(1, "assistant", [{"type": "thinking", "thinking": "Secret musings", "signature": "x"}]),
        claude(2, "assistant", [{"type": "text", "text": "Let me look."}]),
        claude(3, "assistant", [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "pytest -q", "description": "Run tests"}}]),
        claude(4, "user", [{"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [{"type": "text", "text": "1 failed\x1b[0m"}]}]),
        claude(5, "assistant", [{"type": "text", "text": "The clock is wrong."}], cwd="/repo/src"),
    ))  # fmt: skip
    assert detect(path).name == "claude-code"
    assert turns(path) == [
        ("s1", 0, "user", "Why does login fail?"),
        ("s1", 1, "assistant", "Let me look."),
        ("s1", 2, "tool", "Bash: pytest -q Run tests\n-> failed: 1 failed"),
        ("s1", 3, "assistant", "The clock is wrong."),
    ]
    first = read(path)[0][0]
    assert first.home == "/repo"
    assert first.said.created_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert (first.said.agent, first.said.branch, first.said.source) == (
        "claude-code",
        "main",
        "s1.jsonl:2",
    )
    assert {one.home for one in read(path)[0]} == {"/repo"}
    assert read(path)[0][2].said.tool == "Bash"


def test_claude_code_leaves_out_what_the_harness_says(tmp_path):
    path = write(tmp_path / "s1.jsonl", lines(
        claude(0, "user", "meta words", isMeta=True),
        claude(1, "user", "<command-name>/clear</command-name>\n<command-message>clear</command-message>\n<command-args></command-args>"),
        claude(2, "user", "<command-name>/review</command-name>\n<command-message>review is running</command-message>\n<command-args>the auth module</command-args>"),
        claude(3, "user", "<local-command-stdout>Set model</local-command-stdout>"),
        claude(4, "user", [{"type": "text", "text": "[Request interrupted by user]"}]),
        claude(5, "user", "Fix it\n<system-reminder>\nThe file changed\n</system-reminder>"),
        claude(6, "user", "<bash-input>ls</bash-input>"),
        claude(7, "user", "copied", forkedFrom={"sessionId": "s0", "messageUuid": "u7"}),
        {"type": "queue-operation", "operation": "dequeue", "sessionId": "s1", "timestamp": "2026-03-01T10:00:00Z"},
        {"type": "attachment", "attachment": {"type": "hook_additional_context", "content": ["recalled"]}, "sessionId": "s1", "uuid": "a"},
        claude(8, "user", [{"type": "image", "source": {"type": "base64", "data": "AAAA"}}]),
    ))  # fmt: skip
    assert [text for *_, text in turns(path)] == ["/review the auth module", "Fix it", "! ls"]


def test_claude_code_subagents_summaries_and_titles(tmp_path):
    path = write(tmp_path / "s1.jsonl", lines(
        {"type": "summary", "summary": "Of another conversation", "leafUuid": "elsewhere"},
        {"type": "summary", "summary": "Login repaired", "leafUuid": "u1"},
        claude(0, "user", "Search the code", isSidechain=True, agentId="a7"),
        claude(1, "user", "Thanks"),
        {"type": "system", "subtype": "compact_boundary", "sessionId": "s1", "uuid": "b", "compactMetadata": {"trigger": "auto", "preTokens": 155000}},
        claude(2, "user", "This session is being continued. We chose JWT.", isCompactSummary=True, isVisibleInTranscriptOnly=True),
        {"type": "summary", "summary": "Afterwards", "leafUuid": "u1"},
    ))  # fmt: skip
    assert turns(path) == [("s1/a7", 0, "user", "Search the code"), ("s1", 0, "user", "Thanks")]
    assert notes(path) == [
        ("s1", "Login repaired"),
        ("s1", "This session is being continued. We chose JWT."),
        ("s1", "Afterwards"),
    ]


def test_what_our_own_tools_answered_is_not_kept(tmp_path):
    path = write(tmp_path / "s1.jsonl", lines(
        claude(0, "assistant", [{"type": "tool_use", "id": "t1", "name": "mcp__victor_memory__memory_recall", "input": {"query": "port"}},
                                {"type": "tool_use", "id": "t2", "name": "Bash", "input": {"command": "victor-memory recall port"}},
                                {"type": "tool_use", "id": "t3", "name": "Bash", "input": {"command": "cat notes"}}]),
        claude(1, "user", [{"type": "tool_result", "tool_use_id": "t1", "content": "The port is 8080"},
                           {"type": "tool_result", "tool_use_id": "t2", "content": "The port is 8080"},
                           {"type": "tool_result", "tool_use_id": "t3", "content": "before <recalled-memory>\nThe port is 8080\n" + "x" * 2000 + "</recalled-memory> after"}]),
    ))  # fmt: skip
    assert not [text for *_, text in turns(path) if "8080" in text]
    assert turns(path)[2][3] == "Bash: cat notes\n-> before\nafter"


def test_long_results_keep_their_ends(tmp_path):
    path = write(tmp_path / "s1.jsonl", lines(
        claude(0, "assistant", [{"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "/repo/a.py"}}]),
        claude(1, "user", [{"type": "tool_result", "tool_use_id": "t1", "content": "BEGIN" + "x" * 50_000 + "END"}]),
    ))  # fmt: skip
    ((_, _, _, text),) = turns(path)
    assert text.startswith("Read: /repo/a.py\n-> BEGIN")
    assert text.endswith("END")
    assert len(text) < 1000


# -- Codex ------------------------------------------------------------------------------------------


def test_codex_present_rollouts(tmp_path):
    path = write(tmp_path / "rollout-2026-03-02T10-00-00-0199.jsonl", lines(
        codex(0, "session_meta", {"id": "0199", "timestamp": "2026-03-02T10:00:00Z", "cwd": "/repo", "originator": "codex-tui", "cli_version": "0.144.3", "git": {"branch": "fix", "commit_hash": "abc"}}),
        codex_message(1, "developer", "<permissions instructions>"),
        codex_message(1, "user", "<environment_context>\n  <cwd>/repo</cwd>\n</environment_context>"),
        codex_message(2, "user", "# AGENTS.md instructions for /repo\n\n<INSTRUCTIONS>Be brief</INSTRUCTIONS>"),
        codex_message(3, "user", "Why is it slow?"),
        codex(3, "event_msg", {"type": "user_message", "message": "Why is it slow?", "images": []}),
        codex(4, "turn_context", {"cwd": "/repo/sub", "model": "m"}),
        codex(5, "response_item", {"type": "reasoning", "summary": [{"type": "summary_text", "text": "thinking"}], "encrypted_content": "gAAA"}),
        codex(6, "response_item", {"type": "function_call", "name": "exec_command", "arguments": '{"cmd":"make bench"}', "call_id": "c1"}),
        codex(7, "response_item", {"type": "function_call_output", "call_id": "c1", "output": "9 s\n"}),
        codex(8, "response_item", {"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin Patch", "call_id": "c2"}),
        codex(9, "response_item", {"type": "custom_tool_call_output", "call_id": "c2", "output": '{"output":"no such file","metadata":{"exit_code":1}}'}),
        codex_message(10, "assistant", "The loop is quadratic."),
        codex(10, "event_msg", {"type": "agent_message", "message": "The loop is quadratic.", "phase": "final_answer"}),
        codex(11, "compacted", {"message": "We found a quadratic loop.", "replacement_history": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Why is it slow?"}]}]}),
        codex(12, "world_state", {"full": True, "state": {}}),
    ))  # fmt: skip
    assert detect(path).name == "codex"
    assert turns(path) == [
        ("0199", 0, "user", "Why is it slow?"),
        ("0199", 1, "tool", "exec_command: make bench\n-> 9 s"),
        ("0199", 2, "tool", "apply_patch: *** Begin Patch\n-> failed: no such file"),
        ("0199", 3, "assistant", "The loop is quadratic."),
    ]
    assert notes(path) == [("0199", "We found a quadratic loop.")]
    first = read(path)[0][0]
    assert (first.home, first.said.branch, first.said.agent) == ("/repo", "fix", "codex")
    assert first.said.created_at == datetime(2026, 3, 2, 10, 0, 3, tzinfo=UTC)


def test_codex_older_rollouts(tmp_path):
    path = write(tmp_path / "rollout-2025-08-18T01-16-13-c3c4.jsonl", lines(
        {"id": "c3c4", "timestamp": "2025-08-18T01:16:13.522Z", "instructions": None, "git": {"commit_hash": "abc", "branch": "main"}},
        {"record_type": "state"},
        {"type": "message", "id": None, "role": "user", "content": [{"type": "input_text", "text": "<environment_context>\n  <cwd>/old/repo</cwd>\n</environment_context>"}]},
        {"type": "message", "id": None, "role": "user", "content": [{"type": "input_text", "text": "# Context from my IDE setup:\n\nfiles\n\n## My request for Codex:\nRename it"}]},
        {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "g"},
        {"type": "function_call", "id": "fc", "name": "shell", "arguments": '{"command":["bash","-lc","git mv a b"]}', "call_id": "c1"},
        {"type": "function_call_output", "call_id": "c1", "output": '{"output":"","metadata":{"exit_code":0,"duration_seconds":0.1}}'},
        {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": "Renamed."}]},
    ))  # fmt: skip
    assert detect(path).name == "codex"
    assert turns(path) == [
        ("c3c4", 0, "user", "Rename it"),
        ("c3c4", 1, "tool", "shell: bash -lc git mv a b"),
        ("c3c4", 2, "assistant", "Renamed."),
    ]
    first = read(path)[0][0]
    assert (first.home, first.said.created_at.year) == ("/old/repo", 2025)


def test_codex_events_and_items_that_say_the_same_count_once(tmp_path):
    def event(n, kind, text):
        return codex(n, "event_msg", {"type": kind, "message": text})

    def completed(n, kind, text):
        item = {"type": kind, "id": "i", "content": [{"type": "text", "text": text}]}
        return codex(n, "event_msg", {"type": "item_completed", "turn_id": "t", "item": item})

    path = write(tmp_path / "rollout-1-e.jsonl", lines(
        codex(0, "session_meta", {"id": "e", "cwd": "/r", "history_mode": "paginated"}),
        codex_message(1, "user", "<recommended_plugins>\ninjected\n</recommended_plugins>"),
        event(2, "user_message", "go on"), codex_message(2, "user", "go on"),
        event(3, "agent_message", "done"), codex_message(3, "assistant", "done"),
        codex_message(4, "user", "go on"), event(4, "user_message", "go on"),
        completed(5, "UserMessage", "only an event"), completed(6, "AgentMessage", "and its answer"),
        codex(7, "event_msg", {"type": "token_count", "info": None}),
    ))  # fmt: skip
    assert [(role, text) for _, _, role, text in turns(path)] == [
        ("user", "go on"), ("assistant", "done"), ("user", "go on"),
        ("user", "only an event"), ("assistant", "and its answer"),
    ]  # fmt: skip


def test_codex_fork_repeats_its_parent_under_the_parents_session(tmp_path):
    said = [codex_message(1, "user", "first"), codex_message(2, "assistant", "second")]
    parent = write(
        tmp_path / "rollout-1-p.jsonl",
        lines(codex(0, "session_meta", {"id": "p", "cwd": "/r"}), *said),
    )
    child = write(tmp_path / "rollout-2-c.jsonl", lines(
        codex(0, "session_meta", {"id": "c", "forked_from_id": "p", "cwd": "/r"}),
        codex(0, "session_meta", {"id": "p", "cwd": "/r"}), *said,
    ))  # fmt: skip
    assert turns(child) == turns(parent)


# -- OpenAI and ChatGPT -----------------------------------------------------------------------------

CHAT = [
    {"role": "system", "content": "Be brief"},
    {"role": "user", "content": [{"type": "text", "text": "Weather?"}, {"type": "image_url", "image_url": {"url": "data:"}}]},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    {"role": "assistant", "content": "It rains."},
]  # fmt: skip
SAID = [
    ("user", "Weather?"),
    ("tool", 'weather: {"city": "Oslo"}\n-> rain'),
    ("assistant", "It rains."),
]


@pytest.mark.parametrize(
    ("text", "sessions"),
    [
        (json.dumps(CHAT), ["chat"]),
        (json.dumps({"messages": CHAT, "model": "m"}), ["chat"]),
        (json.dumps({"id": "x", "messages": CHAT}, indent=2), ["x"]),
        (json.dumps([{"id": "x", "messages": CHAT}, {"id": "y", "messages": CHAT}]), ["x", "y"]),
        (lines({"messages": CHAT}, {"messages": CHAT}), ["chat", "chat-2"]),
    ],
)
def test_openai_chats(tmp_path, text, sessions):
    path = write(tmp_path / "chat.json", text)
    assert detect(path).name == "openai"
    expected = [(name, role, said) for name in sessions for role, said in SAID]
    assert [(session, role, said) for session, _, role, said in turns(path)] == expected


def test_chatgpt_exports_are_read_along_the_current_branch(tmp_path):
    def node(key, parent, role=None, text="", kind="text", **message):
        said = None
        if role:
            content = (
                {"content_type": kind, "parts": [text]}
                if kind == "text"
                else {"content_type": kind, "text": text}
            )
            said = {
                "id": key,
                "author": {"role": role, "name": message.pop("name", None)},
                "content": content,
                "create_time": 1767225600.5,
                "recipient": "all",
                "metadata": {},
                **message,
            }
        return key, {"id": key, "message": said, "parent": parent, "children": []}

    mapping = dict([
        node("root", None),
        node("sys", "root", "system", "You are", metadata={"is_visually_hidden_from_conversation": True}),
        node("a", "sys", "user", "Plot it"),
        node("b-old", "a", "assistant", "An abandoned answer"),
        node("b", "a", "assistant", "plt.plot()", kind="code", recipient="python"),
        node("c", "b", "tool", "done", kind="execution_output", name="python"),
        node("t", "c", "assistant", "hidden", kind="thoughts"),
        node("d", "t", "assistant", "Here is the plot."),
    ])  # fmt: skip
    export = [
        {"title": "Plotting", "create_time": 1767225600.0, "conversation_id": "conv-1", "mapping": mapping, "current_node": "d"},
        {"title": "Empty", "conversation_id": "conv-2", "mapping": {"r": {"id": "r", "message": None, "parent": None, "children": []}}, "current_node": "r"},
    ]  # fmt: skip
    path = write(tmp_path / "conversations.json", json.dumps(export))
    assert detect(path).name == "openai"
    assert turns(path) == [
        ("conv-1", 0, "user", "Plot it"),
        ("conv-1", 1, "tool", "python: plt.plot()\n-> done"),
        ("conv-1", 2, "assistant", "Here is the plot."),
    ]
    first = read(path)[0][0].said
    assert (first.agent, list(first.tags), first.created_at.year) == ("chatgpt", ["Plotting"], 2026)


def test_a_large_export_is_read_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("victor_memory.transfer.readers.openai_chat._CHUNK", 64)
    chats = [
        {"id": f"c{n}", "messages": [{"role": "user", "content": f"é {n} " + "y" * (n * 37)}]}
        for n in range(40)
    ]
    path = write(tmp_path / "big.json", json.dumps(chats, ensure_ascii=False))
    whole = turns(path)
    assert [session for session, *_ in whole] == [f"c{n}" for n in range(40)]
    assert [text.split()[1] for *_, text in whole] == [str(n) for n in range(40)]


def test_a_damaged_export_gives_what_stands_before_the_damage(tmp_path):
    good = json.dumps([{"id": "x", "messages": CHAT}, {"id": "y", "messages": CHAT}], indent=1)
    path = write(tmp_path / "chat.json", good[: good.index('"y"') + 20])
    entries, problems, _ = read(path)
    assert [one.said.session for one in entries] == ["x"] * 3
    assert (len(problems), problems[0].line) == (1, good[: good.index('"y"')].count("\n"))


# -- Victor -----------------------------------------------------------------------------------------

SCHEMA = """
CREATE TABLE sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMP NOT NULL,
    last_activity TIMESTAMP NOT NULL, project_path TEXT, model TEXT);
CREATE TABLE messages (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, role TEXT NOT NULL,
    content TEXT NOT NULL, timestamp TIMESTAMP NOT NULL, token_count INTEGER NOT NULL,
    priority INTEGER NOT NULL, tool_name TEXT, tool_call_id TEXT, metadata TEXT, agent_id TEXT);
CREATE TABLE context_summaries (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, summary TEXT NOT NULL,
    token_count INTEGER NOT NULL, messages_summarized TEXT, created_at TIMESTAMP NOT NULL);
"""


@pytest.fixture
def victor(tmp_path):
    """Return a database like the host's, open for writing with a write-ahead log."""
    path = tmp_path / "repo" / ".victor" / "project.db"
    path.parent.mkdir(parents=True)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.executescript(SCHEMA)
    database.execute("INSERT INTO sessions VALUES ('v1', '', '', '/repo', 'm')")
    yield database, path
    database.close()


def say(database, n, role, content, session="v1", tool=None, call=None, replace=None):
    database.execute(
        "INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?, 1, 1, ?, ?, '{}', NULL)",
        (replace or f"m{n}", session, role, content, f"2026-03-03T10:00:{n:02}+00:00", tool, call),
    )


def test_victor_messages_with_tools_and_summaries(victor):
    database, path = victor
    say(database, 0, "system", "You are Victor")
    say(database, 1, "user", "Add a test")
    say(database, 2, "tool_call", '{"path": "a.py"}', tool="read", call="k1")
    say(database, 3, "tool", "def a(): ...", tool="read", call="k1")
    say(database, 4, "assistant", "Added.")
    say(database, 5, "user", "Elsewhere", session="v2")
    database.execute(
        "INSERT INTO context_summaries VALUES ('c', 'v1', 'A test was added', 1, '[]', '2026-03-03T11:00:00')"
    )
    assert detect(path).name == "victor"
    assert turns(path) == [
        ("v1", 1, "user", "Add a test"),
        ("v1", 3, "tool", "read: a.py\n-> def a(): ..."),
        ("v1", 4, "assistant", "Added."),
        ("v2", 0, "user", "Elsewhere"),
    ]
    assert notes(path) == [("v1", "A test was added")]
    homes = {one.said.session: one.home for one in read(path)[0]}
    assert homes == {"v1": "/repo", "v2": str(path.parent.parent)}


def test_victor_goes_on_after_the_last_row_and_notices_replacement(victor):
    database, path = victor
    for n in range(5):
        say(database, n, "user", f"message {n}")
    everything, _, cursor = read(path, size=2)
    assert len(everything) == 5
    assert read(path, cursor)[0] == []
    say(database, 5, "user", "message 5")
    say(
        database, 2, "user", "message 2", replace="m2"
    )  # gets a new row number, and keeps its place
    again, _, cursor = read(path, cursor)
    assert [(one.said.index, one.said.text) for one in again] == [
        (5, "message 5"),
        (2, "message 2"),
    ]
    database.execute("DELETE FROM messages WHERE rowid > 3")
    say(database, 9, "user", "after a deletion")  # gets a row number that was used before
    texts = [one.said.text for one in read(path, cursor)[0]]
    assert "after a deletion" in texts


def test_victor_database_is_never_written_to(victor):
    database, path = victor
    say(database, 0, "user", "hello")
    database.close()
    before = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    assert set(before) == {"project.db"}
    path.parent.chmod(0o500)
    try:
        assert [text for *_, text in turns(path)] == ["hello"]
    finally:
        path.parent.chmod(0o700)
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == before


def test_victor_sees_what_is_only_in_the_log_while_the_host_writes(victor):
    database, path = victor
    database.execute("PRAGMA wal_autocheckpoint=0")
    say(database, 0, "user", "in the log")
    assert path.with_name("project.db-wal").stat().st_size > 0
    assert [text for *_, text in turns(path)] == ["in the log"]
    database.execute("BEGIN IMMEDIATE")
    say(database, 1, "user", "not committed")
    assert [text for *_, text in turns(path)] == ["in the log"]
    database.execute("ROLLBACK")


def test_another_database_is_refused_with_the_next_step(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (x)")
    with pytest.raises(TransferError, match=r"Name the project's project\.db"):
        read(path)


# -- plain lines and Markdown -----------------------------------------------------------------------


def test_plain_lines_under_usual_names(tmp_path):
    path = write(tmp_path / "log.jsonl", lines(
        {"role": "user", "content": "hello", "ts": 1767225600, "thread_id": "t"},
        {"sender": "bot", "message": {"text": "hi"}, "timestamp": "2026-01-01T00:00:01Z", "thread_id": "t"},
        {"text": "no session", "name": "Ann", "cwd": "/repo"},
        {"text": "We use tabs", "kind": "decision", "tags": ["style"], "importance": 0.8},
    ))  # fmt: skip
    assert detect(path).name == "jsonl"
    assert turns(path) == [
        ("t", 0, "user", "hello"),
        ("t", 1, "bot", "hi"),
        ("log", 0, None, "no session"),
    ]
    entries = read(path)[0]
    assert [one.said.created_at for one in entries[:2]] == [
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC),
    ]
    assert (entries[2].home, entries[2].said.speaker) == ("/repo", "Ann")
    note = entries[3].said
    assert (note.kind, note.text, note.tags, note.importance) == (
        "decision",
        "We use tabs",
        ("style",),
        0.8,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "# Chat\n\n## User\n\nHow?\n\n```md\n## Assistant\n```\n\n## Assistant (10:00)\n\n### Steps\n\nSo.\n",
            [("user", "How?\n\n```md\n## Assistant\n```"), ("assistant", "### Steps\n\nSo.")],
        ),
        (
            "**Ann:** Hi\n\n**Assistant**: Hello\nthere\n",
            [("user", "Hi"), ("assistant", "Hello\nthere")],
        ),
    ],
)
def test_markdown_conversations(tmp_path, text, expected):
    path = write(tmp_path / "chat.md", text)
    assert [(role, said) for _, _, role, said in turns(path)] == expected


def test_markdown_notes_are_sections_under_their_headings(tmp_path):
    path = write(
        tmp_path / "MEMORY.md",
        "---\ntitle: x\n---\nBefore all.\n\n# Style\n\n## Python\n\nUse tabs.\n\n```sh\n# no heading\n```\n\n## Empty\n\n# Ports\n\n8080\n",
    )
    assert [text for _, text in notes(path)] == [
        "Before all.",
        "Style / Python\n\nUse tabs.\n\n```sh\n# no heading\n```",
        "Ports\n\n8080",
    ]
    assert [one.line for one in read(path)[0]] == [4, 8, 18]


# -- all of them ------------------------------------------------------------------------------------


def test_formats_are_named_and_known_by_name():
    names = [one.name for one in READERS]
    assert sorted(names) == sorted(set(names))
    assert [named(one).name for one in names] == names
    with pytest.raises(InvalidRequestError, match="Use one of: victor"):
        named("word")


@pytest.mark.parametrize(
    ("name", "data", "advice"),
    [
        ("x.bin", b"\x00\x01 nothing", "Name its format with --format"),
        ("x.jsonl", b"{}\n[]\n", "Name its format with --format"),
        ("rollout-x.jsonl.zst", b"\x28\xb5\x2f\xfd....", "Unpack it first"),
    ],
)
def test_what_is_not_recognised_says_what_to_do(tmp_path, name, data, advice):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(TransferError, match=advice):
        detect(path)
    with pytest.raises(TransferError, match="cannot be read"):
        detect(tmp_path / "missing")


def test_a_long_first_line_is_recognised(tmp_path):
    meta = {"id": "x", "cwd": "/r", "base_instructions": {"text": "x" * 300_000}}
    path = write(tmp_path / "a.jsonl", lines(codex(0, "session_meta", meta)))
    assert detect(path).name == "codex"


def test_an_empty_file_has_no_format_yet(tmp_path):
    assert detect(write(tmp_path / "x.jsonl", "\n")) is None
    assert detect(write(tmp_path / "x.jsonl", '{"type": "user", "messa')) is None
