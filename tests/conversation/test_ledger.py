import os
import subprocess
import sys
import time

from victor_memory.conversation.ledger import TTL, Ledger, fingerprint


def test_what_a_session_was_given_survives_and_is_only_its_own(tmp_path):
    Ledger(tmp_path).add("s", ["one", "two"])
    assert Ledger(tmp_path).seen("s") == {fingerprint("one"), fingerprint("two")}
    assert Ledger(tmp_path).seen("t") == frozenset()


def test_a_session_that_ended_is_forgotten(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.add("s", ["one"])
    ledger.end("s")
    ledger.end("s")
    assert ledger.seen("s") == frozenset()
    assert list(tmp_path.iterdir()) == []


def test_old_ledgers_go_when_another_is_written(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.add("old", ["one"])
    (file,) = tmp_path.iterdir()
    long_ago = time.time() - TTL - 60
    os.utime(file, (long_ago, long_ago))
    ledger.add("new", ["two"])
    assert ledger.seen("old") == frozenset()
    assert ledger.seen("new")


def test_texts_and_names_are_not_in_the_file(tmp_path):
    Ledger(tmp_path).add("secret-session", ["memory abc a secret text"])
    (file,) = tmp_path.iterdir()
    assert "secret" not in file.name + file.read_text(encoding="ascii")


def test_a_line_that_a_kill_cut_off_spoils_nothing(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.add("s", ["one"])
    (file,) = tmp_path.iterdir()
    with file.open("ab") as cut:
        cut.write(b"\n0123456")
    ledger.add("s", ["two"])
    assert ledger.seen("s") == {fingerprint("one"), fingerprint("two")}


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    code = (
        "import sys; from pathlib import Path; from victor_memory.conversation.ledger import Ledger\n"
        "for n in range(20): Ledger(Path(sys.argv[1])).add('s', [sys.argv[2] + str(n)])"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(n)]) for n in range(3)
    ]
    assert [one.wait() for one in running] == [0, 0, 0]
    every = {fingerprint(f"{n}{k}") for n in range(3) for k in range(20)}
    assert Ledger(tmp_path).seen("s") == every


def test_a_place_that_cannot_be_written_is_no_failure(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="ascii")
    ledger = Ledger(blocked)
    ledger.add("s", ["one"])
    assert ledger.seen("s") == frozenset()
