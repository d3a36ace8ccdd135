"""Over HTTP: only programs of this machine that know the token, and none can harm another."""

import asyncio
import re
import signal
import socket
import stat

import httpx2
import pytest

TOKEN = "a-token-for-the-tests-only"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "tests", "version": "1"},
    },
}


def post(address, json=INITIALIZE, token=TOKEN, **options):
    headers = {
        "Accept": "application/json, text/event-stream",
        **({"Authorization": f"Bearer {token}"} if token else {}),
        **options.pop("headers", {}),
    }
    return httpx2.request("POST", address, json=json, headers=headers, timeout=60, **options)


def test_who_does_not_know_the_token_is_refused(http_server):
    for token in (None, "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper()):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        for method in ("POST", "GET", "DELETE"):
            for path in ("", "/other"):
                refused = httpx2.request(method, http_server + path, headers=headers, timeout=60)
                assert refused.status_code == 401
                assert refused.headers["www-authenticate"] == "Bearer"


def test_the_token_is_taken_as_the_header_has_it(http_server):
    assert post(http_server, headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200
    assert post(http_server, headers={"Authorization": "Bearer"}).status_code == 401
    assert post(http_server, headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
    assert post(http_server, token=None, params={"access_token": TOKEN}).status_code == 401


FOREIGN = [
    ({"Host": "evil.example:80"}, 421),
    ({"Host": "127.0.0.1"}, 421),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://127.0.0.1:1"}, 403),
]


def test_a_page_in_a_browser_cannot_use_it(http_server):
    for headers, status in FOREIGN:
        for version in ("2025-11-25", "2026-07-28"):
            given = {**headers, "MCP-Protocol-Version": version}
            assert post(http_server, headers=given).status_code == status, given


def test_what_cannot_be_read_is_answered(http_server):
    headers = {"Content-Type": "application/json"}
    broken = post(http_server, json=None, content=b"{not json", headers=headers)
    assert broken.status_code == 400
    assert broken.json()["error"]["code"] == -32700
    large = b'{"jsonrpc": "2.0", "id": 1, "method": "' + b"x" * (17 * 2**20) + b'"}'
    assert post(http_server, json=None, content=large, headers=headers).status_code == 413
    assert post(http_server).status_code == 200


def test_it_listens_on_this_machine_only(http_server):
    port = int(re.search(r":(\d+)/", http_server)[1])
    for _, _, _, _, address in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET):
        if not address[0].startswith("127."):
            with pytest.raises(OSError, match=r"refused|timed out"):
                socket.create_connection(address[:2], timeout=2).close()


def test_a_token_that_is_made_up_is_shown_once(start, environment):
    del environment["VICTOR_MEMORY_MCP_TOKEN"]
    process = start("--http", "--port", "0")
    address = re.search(r"http://\S+", process.stderr.readline().decode())[0]
    token = re.search(r"shown once: (\S+)$", process.stderr.readline().decode().strip())[1]
    assert len(token) >= 32
    assert post(address, token=token).status_code == 200
    assert post(address).status_code == 401
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert token not in process.stderr.read().decode()


def test_the_token_may_be_in_a_file_that_nobody_else_reads(start, environment, tmp_path):
    del environment["VICTOR_MEMORY_MCP_TOKEN"]
    file = tmp_path / "token"
    environment["VICTOR_MEMORY_MCP_TOKEN_FILE"] = str(file)
    for mode, text, told in (
        (0o600, None, "cannot be read"),
        (0o644, TOKEN, "chmod 600"),
        (0o600, "short", "16 ASCII characters"),
    ):
        if text is not None:
            file.write_text(text, encoding="utf-8")
            file.chmod(mode)
        process = start("--http", "--port", "0")
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (2, b"")
        assert told in err.decode()
    file.write_text(TOKEN + "\n", encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    process = start("--http", "--port", "0")
    said = process.stderr.readline().decode()
    assert post(re.search(r"http://\S+", said)[0]).status_code == 200


def test_a_port_in_use_is_said(http_server, start):
    port = re.search(r":(\d+)/", http_server)[1]
    _, err = start("--http", "--port", port).communicate(timeout=60)
    assert "Choose another with --port" in err.decode()


async def test_a_client_that_is_killed_in_mid_call_harms_nobody(http_server, over_http, project):
    async with over_http() as other:
        await other.call_tool("memory_remember", {"text": "Bees dance"})
        session = post(http_server).headers["mcp-session-id"]
        call = {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "tools/call",
            "params": {"name": "code_search", "arguments": {"query": "check the token"}},
        }
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", httpx2.URL(http_server).port)) as gone:
                body = httpx2.Request("POST", http_server, json=call)
                head = "".join(
                    f"{name}: {value}\r\n"
                    for name, value in {
                        "Host": httpx2.URL(http_server).netloc.decode(),
                        "Authorization": f"Bearer {TOKEN}",
                        "Accept": "application/json, text/event-stream",
                        "Content-Type": "application/json",
                        "Content-Length": str(len(body.content)),
                        "Mcp-Session-Id": session,
                    }.items()
                )
                gone.sendall(f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body.content)
                await asyncio.sleep(0.05)
        found = await other.call_tool("memory_recall", {"query": "bees"})
        assert found.structured_content["results"][0]["text"] == "Bees dance"
        found = await other.call_tool("code_search", {"query": "check the token"})
        assert not found.is_error


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_cleanly_with_clients_connected(start, how):
    process = start("--http", "--port", "0")
    address = re.search(r"http://\S+", process.stderr.readline().decode())[0]
    session = post(address).headers["mcp-session-id"]
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Accept": "text/event-stream",
        "Mcp-Session-Id": session,
    }
    async with httpx2.AsyncClient(timeout=60) as http, http.stream("GET", address, headers=headers):
        process.send_signal(how)
        assert await asyncio.to_thread(process.wait, 20) == 0
    assert "Traceback" not in process.stderr.read().decode()
