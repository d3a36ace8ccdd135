"""Logs are silent until asked for, never on stdout, and never hold content."""

import io
import json
import logging
import subprocess
import sys

from victor_memory._logging import LOG_KEYS, configure_logging, get_logger


def test_nothing_is_printed_unless_it_is_configured():
    code = (
        "from victor_memory._logging import get_logger\n"
        "get_logger('victor_memory.x').error('it_happened', provider='p')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_the_host_decides_where_events_go(caplog):
    with caplog.at_level(logging.INFO, logger="victor_memory"):
        logging.getLogger("victor_memory").propagate = True
        get_logger("victor_memory.host").info("it_happened", provider="p", text="private")
    assert "it_happened" in caplog.text
    assert "private" not in caplog.text


def test_configured_events_are_json_with_known_keys_only():
    stream = io.StringIO()
    try:
        configure_logging("INFO", "json", stream)
        get_logger("victor_memory.y").info("it_happened", provider="p", query="private")
        get_logger("victor_memory.y").debug("unimportant")
    finally:
        root = logging.getLogger("victor_memory")
        root.handlers[:] = [logging.NullHandler()]
        root.setLevel(logging.NOTSET)
        root.propagate = True
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    assert event["event"] == "it_happened"
    assert event["provider"] == "p"
    assert "query" not in event


def test_no_key_could_hold_content():
    assert not LOG_KEYS & {"text", "content", "query", "vector", "key", "secret", "token", "path"}
