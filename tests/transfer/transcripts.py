"""Transcripts as agents write them, for the tests."""

import json


def lines(*values):
    return "".join(json.dumps(one) + "\n" for one in values)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def claude(n, kind, content, *, session="s1", cwd=None, **more):
    """Return an entry of a Claude Code transcript as it is on disk."""
    return {
        "parentUuid": f"u{n - 1}" if n else None, "isSidechain": False, "userType": "external",
        "cwd": str(cwd) if cwd else "/nowhere/at/all", "sessionId": session, "version": "2.1.12",
        "gitBranch": "main", "type": kind, "message": {"role": kind, "content": content},
        "uuid": f"u{n}", "timestamp": f"2026-03-01T10:{n // 60:02}:{n % 60:02}.000Z", **more,
    }  # fmt: skip


def codex(n, kind, payload):
    """Return a record of a present Codex rollout."""
    when = f"2026-03-02T10:{n // 60:02}:{n % 60:02}.000Z"
    return {"timestamp": when, "type": kind, "payload": payload}


def codex_message(n, role, text):
    part = "output_text" if role == "assistant" else "input_text"
    content = [{"type": part, "text": text}]
    return codex(n, "response_item", {"type": "message", "role": role, "content": content})
