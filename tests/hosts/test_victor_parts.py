"""The parts of the Victor adapter that can be looked at without the host."""

import asyncio
import importlib.metadata
import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from victor_memory.errors import HostError, InvalidRequestError
from victor_memory.hosts.victor import capture, importer, install, selection
from victor_memory.hosts.victor.capture import Capture, _Watch
from victor_memory.hosts.victor.entry import VictorMemoryPlugin
from victor_memory.hosts.victor.imported import (
    State,
    read_state,
    signature,
    state_path,
    write_state,
)
from victor_memory.hosts.victor.live import Live
from victor_memory.runtime import open_runtime
from victor_memory.settings import MemorySettings
from victor_memory.tools import TOOLS

absent = pytest.mark.skipif(
    importlib.util.find_spec("victor") is not None, reason="victor-ai is here"
)
SCHEMA = """
CREATE TABLE sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMP, project_path TEXT);
CREATE TABLE messages (
    id TEXT PRIMARY KEY, session_id TEXT, role TEXT, content TEXT, timestamp TIMESTAMP,
    tool_name TEXT, tool_call_id TEXT, metadata TEXT
);
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A project with the host's database, opened by the host."""
    monkeypatch.setenv("VICTOR_EMBEDDINGS_DIR", str(tmp_path / "embeddings"))
    root = tmp_path / "shop"
    (root / ".victor").mkdir(parents=True)
    with closing(sqlite3.connect(root / ".victor" / "project.db")) as database:
        database.executescript(SCHEMA)
        database.execute("PRAGMA journal_mode=WAL")
        database.commit()
        yield root, database


def say(database, number, text, role="user"):
    database.execute(
        "INSERT INTO messages VALUES (?, 'session_1', ?, ?, ?, NULL, NULL, '{}')",
        (f"msg_{number}", role, text, f"2026-01-01T00:00:{number:02}"),
    )
    database.commit()


async def remembered(root):
    async with open_runtime(project=root) as memory:
        return [one.text for one in await memory.conversation.recent(50)]


async def test_an_import_takes_what_is_new_and_no_more(shop):
    root, database = shop
    say(database, 1, "We round half to even.")
    say(database, 2, "Noted.", "assistant")
    first = await in_a_process(root)
    assert (first.turns, first.error) == (2, None)
    assert await in_a_process(root) == first, "nothing has changed: nothing was done"
    say(database, 3, "And mail is sent by the queue.")
    assert (await in_a_process(root)).turns == 3
    assert sorted(await remembered(root)) == [
        "And mail is sent by the queue.",
        "Noted.",
        "We round half to even.",
    ]


async def in_a_process(root):
    command = [sys.executable, "-m", importer.__name__, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return read_state(root)


def test_a_failure_is_kept_for_doctor_and_tried_again(shop, monkeypatch):
    root, database = shop
    say(database, 1, "We round half to even.")
    monkeypatch.setenv("VICTOR_EMBEDDING_MODEL_TYPE", "nothing")
    state = importer.import_new(root)
    assert "nothing" in state.error
    assert state.signature is None, "so that it counts as changed"
    monkeypatch.delenv("VICTOR_EMBEDDING_MODEL_TYPE")
    state = importer.import_new(root)
    assert (state.turns, state.error) == (1, None)


def test_the_signature_changes_with_what_is_written_and_not_with_who_reads(shop):
    root, database = shop
    empty = signature(root)
    say(database, 1, "We round half to even.")
    written = signature(root)
    assert written != empty
    with closing(sqlite3.connect(root / ".victor" / "project.db")) as other:
        assert other.execute("SELECT count(*) FROM messages").fetchone() == (1,)
        assert signature(root) == written
    assert signature(root / "elsewhere") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}', '{"version": 1, "odd": 2}'])
def test_a_state_that_cannot_be_read_is_none(shop, text):
    root, _ = shop
    write_state(root, State(signature=(1, 2), turns=3))
    assert read_state(root) == State(signature=(1, 2), turns=3)
    state_path(root).write_text(text, encoding="utf-8")
    assert read_state(root) == State()


def test_a_watch_has_read_what_is_said_while_the_host_runs(shop, monkeypatch):
    root, database = shop
    started = threading.Semaphore(0)

    class Process:
        def poll(self):
            return 0

    def start(_root):
        started.release()
        return Process()

    monkeypatch.setattr(capture, "_start", start)
    monkeypatch.setattr(capture, "INTERVAL", 0.05)
    monkeypatch.setattr(capture, "GAP", 0.0)
    watch = _Watch(root)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    assert started.acquire(timeout=30), "what was there at the start"
    say(database, 1, "We round half to even.")
    assert started.acquire(timeout=30), "what was said since"
    watch.finish()
    thread.join(30)
    assert not thread.is_alive()
    assert not started.acquire(blocking=False), "nothing was said since then"


@pytest.mark.parametrize(("switch", "watched"), [("on", True), ("off", False), ("perhaps", False)])
def test_nothing_is_watched_where_capture_is_switched_off(shop, monkeypatch, switch, watched):
    root, _ = shop
    monkeypatch.setenv("VICTOR_MEMORY_CAPTURE", switch)
    ran = []
    monkeypatch.setattr(_Watch, "run", lambda _: ran.append("watched"))
    monkeypatch.setattr(capture.atexit, "register", ran.append)
    Capture().start(root)
    assert bool(ran) == watched


def test_a_watch_starts_one_process_for_what_is_new(shop, monkeypatch):
    root, database = shop
    started = []

    class Process:
        ended = False

        def poll(self):
            return 0 if self.ended else None

    def start(where):
        started.append(Process())
        assert where == root
        return started[-1]

    monkeypatch.setattr(capture, "_start", start)
    watch = _Watch(root)
    watch._looked.set()
    watch._read_if_changed()
    watch._read_if_changed()
    assert len(started) == 1, "nothing has changed"
    say(database, 1, "We round half to even.")
    watch._read_if_changed()
    assert len(started) == 1, "the first one is still at work"
    assert watch.busy()
    started[0].ended = True
    assert not watch.busy()
    watch._read_if_changed()
    assert len(started) == 2
    say(database, 2, "Noted.")
    watch.finish()
    assert len(started) == 3, "the one that is at work does not know the last words"


async def test_all_event_loops_and_threads_share_one_runtime_until_it_is_closed(shop):
    root, _ = shop
    live = Live()

    async def itself(memory):
        return memory

    first = await live.use(root, itself)
    assert await asyncio.to_thread(lambda: asyncio.run(live.use(root, itself))) is first
    live.close()
    live.close()
    again = await live.use(root, itself)
    assert again is not first
    live.close()


async def test_cancelling_a_call_cancels_what_it_does(shop):
    root, _ = shop
    live, entered, cancelled = Live(), threading.Event(), threading.Event()

    async def forever(_memory):
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    task = asyncio.create_task(live.use(root, forever))
    assert await asyncio.to_thread(entered.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(cancelled.wait, 30)
    live.close()


async def test_what_fails_in_a_call_reaches_the_caller(tmp_path):
    with pytest.raises(InvalidRequestError, match="does not exist"):
        await Live().use(tmp_path / "nowhere", lambda memory: memory.conversation.recent())


def test_a_change_that_cannot_be_made_is_an_error_with_the_next_step(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(HostError, match="Check its permissions"):
        install.apply([install.Change("write", tmp_path / "file" / "plugin.py", "tools", "text")])


async def test_nobody_waits_for_a_project_that_is_not_watched(tmp_path):
    await Capture().caught_up(tmp_path)


@absent
def test_without_the_host_nothing_is_planned_and_the_next_step_is_named():
    with pytest.raises(HostError, match="pip install victor-memory"):
        install.plan()


@absent
def test_register_never_raises_and_says_why_nothing_is_connected():
    plugin = VictorMemoryPlugin()
    plugin.register(object())
    plugin.register(object())
    health = plugin.health_check()
    assert health["healthy"] is False
    assert "victor" in health["reason"]
    plugin.on_deactivate()


def test_the_entry_point_names_the_plugin():
    (found,) = importlib.metadata.entry_points(group="victor.plugins", name="victor_memory")
    assert found.load() is VictorMemoryPlugin


def test_the_package_and_its_entry_import_neither_the_host_nor_anything_heavy():
    code = (
        "import json, sys\n"
        "import victor_memory.hosts.victor.entry\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"victor", "lancedb", "pyarrow", "numpy", "pydantic", "tokenizers", "filelock", "mcp"}
    assert not heavy & set(json.loads(done.stdout))


def test_every_tool_has_words_by_which_the_host_offers_it():
    assert set(selection.KEYWORDS) == {tool.name for tool in TOOLS}
    for tool in TOOLS:
        assert all(len(one) >= 3 for one in selection.keywords(tool.name, tool.description))
    assert selection.keywords("send_fax", "Send a fax to somebody. Not for mail.") == [
        "send",
        "somebody",
    ]


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({"VICTOR_VECTOR_STORE": "victor_memory"}, ("lancedb", "default")),
        ({"VICTOR_CODEBASE_VECTOR_STORE": "victor_memory"}, ("lancedb", "default")),
        (
            {"VICTOR_CODEBASE_VECTOR_STORE": "victor_memory", "VICTOR_VECTOR_STORE": "sqlite"},
            ("sqlite", "VICTOR_VECTOR_STORE"),
        ),
    ],
)
def test_the_hosts_name_for_us_chooses_no_store(monkeypatch, given, chosen):
    for name in [one for one in os.environ if one.startswith("VICTOR_")]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert MemorySettings().store_choice("codebase") == chosen


@absent
def test_where_the_host_is_not_there_is_no_plugin_class():
    import victor_memory

    assert not hasattr(victor_memory, "Plugin")
    assert "Plugin" not in dir(victor_memory)
