"""A server that speaks Ollama's protocol on loopback, without a model: it says what it is told to.

It is strict: whatever Ollama would refuse, or could not make sense of, is kept in `violations`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "fake:latest"
ROLES = {"system", "user", "assistant", "tool"}
Reply = str | tuple[str, dict[str, Any]]
"""A text, or the name of a tool and its arguments."""


class FakeOllama:
    """Answers one chat request after another with *replies*; the last one is repeated."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self._replies = list(replies)
        self._lock = threading.Lock()
        self.requests: list[dict[str, Any]] = []
        """The bodies of the chat requests."""
        self.violations: list[str] = []
        self.url = ""

    def offered(self, request: int) -> set[str]:
        return {one["function"]["name"] for one in self.requests[request].get("tools") or []}

    def tool_results(self, request: int) -> list[str]:
        said = self.requests[request]["messages"]
        return [str(one["content"]) for one in said if one["role"] == "tool"]

    def chat(self, body: Any) -> dict[str, Any]:
        with self._lock:
            self.violations += list(_violations(body))
            self.requests.append(body)
            reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        message: dict[str, Any] = {"role": "assistant", "content": ""}
        if isinstance(reply, str):
            message["content"] = reply
        else:
            name, arguments = reply
            if name not in self.offered(-1):
                self.violations.append(f"{name} was to be called and is not offered")
            message["tool_calls"] = [{"function": {"name": name, "arguments": arguments}}]
        return {
            "model": MODEL,
            "created_at": "2026-01-01T00:00:00Z",
            "message": message,
            "done": True,
            "done_reason": "stop",
            "total_duration": 1,
            "prompt_eval_count": 1,
            "eval_count": 1,
        }


def _violations(body: Any) -> Iterator[str]:
    if body.get("model") != MODEL:
        yield f"the model is {body.get('model')!r}"
    if body.get("stream", True) not in (True, False):
        yield "stream is no boolean"
    if not isinstance(body.get("options", {}), dict):
        yield "options is no object"
    called = 0
    for message in body.get("messages") or [{}]:
        yield from _said_wrong(message)
        called += len(message.get("tool_calls") or []) - (message.get("role") == "tool")
        if called < 0:
            yield "there is a result without a call"
    tools = [one.get("function", {}) for one in body.get("tools") or []]
    if any(one.get("type") != "function" for one in body.get("tools") or []):
        yield "a tool is no function"
    names = [one.get("name") for one in tools]
    if len(names) != len(set(names)):
        yield f"a tool is offered twice: {names}"
    for one in tools:
        yield from _described_wrong(one)


def _said_wrong(message: dict[str, Any]) -> Iterator[str]:
    role, content, calls = (message.get(key) for key in ("role", "content", "tool_calls"))
    if role not in ROLES:
        yield f"there is no role {role!r}"
    if not isinstance(content, str):
        yield f"the content of a {role} is {type(content).__name__}, not a string"
    if calls and role != "assistant":
        yield f"a {role} calls tools"
    if not all(isinstance(one["function"]["arguments"], dict) for one in calls or []):
        yield "the arguments of a call are no object"


def _described_wrong(function: dict[str, Any]) -> Iterator[str]:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    name, schema = function.get("name"), function.get("parameters", {})
    if not function.get("description"):
        yield f"{name} has no description"
    if schema.get("type") != "object":
        yield f"the arguments of {name} are no object"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as exc:
        yield f"the schema of {name}: {exc.message}"


def _handler(server: FakeOllama) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Print nothing."""

        def _answer(self, status: int, content: dict[str, Any]) -> None:
            data = json.dumps(content).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self._serve({"/api/tags": TAGS, "/api/version": {"version": "0.20.0"}})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                body = json.loads(raw)
            except ValueError:
                server.violations.append(f"{self.path} was sent something else than JSON")
                self._answer(400, {"error": "invalid JSON"})
            else:
                chat = {"/api/chat": server.chat(body)} if self.path == "/api/chat" else {}
                self._serve({"/api/show": SHOWN, **chat})

        def _serve(self, pages: dict[str, Any]) -> None:
            if self.path not in pages:
                server.violations.append(f"there is no {self.command} {self.path}")
            found = pages.get(self.path, {"error": "not found"})
            self._answer(200 if self.path in pages else 404, found)

    return Handler


DETAILS = {"family": "llama", "parameter_size": "8B"}
TAGS = {"models": [{"name": MODEL, "model": MODEL, "size": 1, "digest": "0", "details": DETAILS}]}
SHOWN = {
    "capabilities": ["completion", "tools"],
    "details": DETAILS,
    "model_info": {"general.architecture": "llama", "llama.context_length": 32768},
    "parameters": "num_ctx 32768",
    "template": "{{ .Tools }}{{ .Messages }}",
}


@contextmanager
def serving(replies: Sequence[Reply]) -> Iterator[FakeOllama]:
    """Serve on a free port of loopback until the block ends."""
    fake = FakeOllama(replies)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake)) as server:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()


Serving = Callable[[Sequence[Reply]], Any]
