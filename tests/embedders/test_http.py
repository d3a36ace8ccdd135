"""The HTTP embedder against a real server on this machine that speaks both languages, and fails."""

import asyncio
import contextlib
import gc
import hashlib
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.embedders.http import HttpEmbedder
from victor_memory.errors import ConfigurationError, EmbeddingError

DIMENSION = 4
KEY = "sk-very-secret"


def vector(text):
    """What the server's model returns: not of unit length, and different for every text."""
    return [byte + 1.0 for byte in hashlib.sha256(text.encode()).digest()[:DIMENSION]]


def unit(text):
    return np.array(vector(text)) / np.linalg.norm(vector(text))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.requests.append((self.path, dict(self.headers), body, time.monotonic()))
            server.peers.add(self.client_address)
            server.busy += 1
            server.busiest = max(server.busiest, server.busy)
            plan = server.plans.pop(0) if server.plans else {}
        time.sleep(plan.get("delay", server.delay))
        answer = plan.get("answer") or self.embed(body["input"])
        for change in filter(None, [plan.get("change")]):
            change(answer)
        with server.lock:
            server.busy -= 1
        # A client that has given up is what some tests are about.
        with contextlib.suppress(OSError):
            self.reply(plan.get("status", 200), plan.get("headers", {}), answer)

    def embed(self, texts):
        if self.path.endswith("/api/embed"):
            return {"model": "m", "embeddings": [vector(text) for text in texts]}
        rows = [{"index": i, "embedding": vector(text)} for i, text in enumerate(texts)]
        return {"object": "list", "data": rows}

    def reply(self, status, headers, answer):
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(data), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    """Answers as planned, one plan a request, and properly when no plan is left."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.requests, self.plans, self.peers = [], [], set()
        self.busy = self.busiest = 0
        self.delay = 0.0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def inputs(self):
        """Return the texts of every request after the one that asks for the dimension."""
        return [body["input"] for _, _, body, _ in self.requests[1:]]

    def handle_error(self, *_):
        pass


class Quick(HttpEmbedder):
    first_wait = 0.01
    timeout = 5.0


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
async def embedder(server):
    made = make(server.url)
    await made.load()
    yield made
    await made.close()


def make(url, cls=Quick, **fields):
    return cls(
        EmbeddingConfig(
            embedding_model_type="http",
            embedding_model_name="m",
            embedding_base_url=url,
            **fields,
        )
    )


# -- the two languages ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ("", "/v1/embeddings"),
        ("/", "/v1/embeddings"),
        ("/v1", "/v1/embeddings"),
        ("/v1/", "/v1/embeddings"),
        ("/gateway/openai", "/gateway/openai/embeddings"),
        ("/v1/embeddings", "/v1/embeddings"),
        ("/deployments/d/embeddings?version=1", "/deployments/d/embeddings?version=1"),
        ("/api", "/api/embed"),
        ("/ollama/api/embed", "/ollama/api/embed"),
    ],
)
async def test_the_url_tells_the_endpoint_and_its_language(server, given, endpoint):
    embedder = make(server.url + given)
    vectors = await embedder.embed(["one", "two"])
    await embedder.close()
    assert {path for path, *_ in server.requests} == {endpoint}
    assert server.requests[-1][2] == {"model": "m", "input": ["one", "two"]}
    assert np.allclose(vectors, [unit("one"), unit("two")])
    assert vectors.dtype == np.float32


@pytest.mark.parametrize("url", [None, "http://localhost:11434", "http://[::1]:11434/"])
def test_without_a_url_or_on_its_port_it_is_ollama(url):
    embedder = HttpEmbedder(EmbeddingConfig(embedding_base_url=url))
    assert embedder._url == f"{(url or 'http://127.0.0.1:11434').rstrip('/')}/api/embed"
    assert embedder.model_name == "nomic-embed-text"


async def test_the_info_has_the_servers_dimension(embedder):
    assert (await embedder.load()).fingerprint == "http:m:4:"


async def test_a_shuffled_answer_is_put_in_order(server, embedder):
    server.plans.append({"change": lambda answer: answer["data"].reverse()})
    assert np.allclose(await embedder.embed(list("abc")), [unit(text) for text in "abc"])


async def test_an_answer_without_indexes_is_in_order(server, embedder):
    server.plans.append({"change": lambda answer: [row.pop("index") for row in answer["data"]]})
    assert np.allclose(await embedder.embed(list("abc")), [unit(text) for text in "abc"])


async def test_an_empty_text_is_sent_as_a_blank_one_and_a_lone_surrogate_as_a_mark(
    server, embedder
):
    await embedder.embed(["", "a \ud800 b"])
    assert server.inputs() == [[" ", "a ? b"]]


# -- many and long texts --------------------------------------------------------------------------


async def test_many_texts_travel_in_bounded_batches_and_come_back_in_order(server, embedder):
    server.delay = 0.05
    texts = [f"text {number}" for number in range(64 * 9 + 1)]
    vectors = await embedder.embed(texts)
    assert sorted(map(len, server.inputs())) == [1] + [64] * 9
    assert server.busiest == embedder.concurrency
    assert np.allclose(vectors, [unit(text) for text in texts])


async def test_a_long_text_is_cut_between_words_and_averaged_by_length(server, embedder):
    long = "word " * 4000
    vectors = await embedder.embed(["short", long])
    short, *parts = [text for batch in server.inputs() for text in batch]
    assert short == "short"
    assert "".join(parts) == long
    assert len(parts) == 3
    assert all(len(part) <= embedder.longest and not part.endswith("wor") for part in parts)
    mean = sum(unit(part) * len(part) for part in parts)
    assert np.allclose(vectors, [unit("short"), mean / np.linalg.norm(mean)])


# -- failures that pass ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_failure_that_may_pass_is_asked_again(server, embedder, status):
    server.plans += [{"status": status}, {"status": status}]
    assert np.allclose(await embedder.embed(["a"]), [unit("a")])
    assert server.inputs() == [["a"]] * 3


async def test_retry_after_in_seconds_is_waited_for(server, embedder):
    server.plans.append({"status": 429, "headers": {"Retry-After": "0.4"}})
    await embedder.embed(["a"])
    (*_, first), (*_, second) = server.requests[-2:]
    assert 0.4 <= second - first < 2


async def test_retry_after_as_a_date_is_waited_for(server, embedder):
    later = formatdate(time.time() + 1.5, usegmt=True)  # whole seconds: at least half a one is left
    server.plans.append({"status": 503, "headers": {"Retry-After": later}})
    await embedder.embed(["a"])
    (*_, first), (*_, second) = server.requests[-2:]
    assert 0.3 <= second - first < 3


async def test_a_server_that_asks_for_an_hour_is_not_waited_for(server, embedder):
    server.plans.append({"status": 429, "headers": {"Retry-After": "3600"}})
    with pytest.raises(EmbeddingError, match=r"429 \(.*retry after 3600 s\)\. Wait"):
        await embedder.embed(["a"])
    assert len(server.inputs()) == 1


async def test_the_attempts_are_bounded(server, embedder):
    server.plans += [{"status": 503}] * 99
    with pytest.raises(EmbeddingError, match="answered 503"):
        await embedder.embed(["a"])
    assert len(server.inputs()) == embedder.attempts


async def test_a_server_that_does_not_answer_in_time(server):
    class Impatient(Quick):
        timeout = 0.2
        attempts = 2

    embedder = make(server.url, Impatient)
    await embedder.load()
    server.plans.append({"delay": 0.6})
    await embedder.embed(["late once"])
    server.plans += [{"delay": 0.6}, {"delay": 0.6}]
    with pytest.raises(EmbeddingError, match=r"did not answer \(ReadTimeout\)"):
        await embedder.embed(["late"])
    await embedder.close()


async def test_a_server_that_is_away(server):
    server.shutdown()
    server.server_close()
    embedder = make(server.url)
    with pytest.raises(EmbeddingError, match=r"ConnectError.*VICTOR_EMBEDDING_BASE_URL") as caught:
        await embedder.load()
    assert caught.value.__cause__ is not None
    with pytest.raises(EmbeddingError, match="Start Ollama"):
        await make(f"{server.url}/api").load()
    await embedder.close()


# -- failures that stay ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "input length"),
        (401, "VICTOR_EMBEDDING_API_KEY"),
        (403, "VICTOR_EMBEDDING_API_KEY"),
        (404, "ollama pull m"),
        (413, "longer texts"),
        (418, "Check the server"),
    ],
)
async def test_a_refusal_is_final_and_names_the_next_step(server, embedder, status, words):
    server.plans.append({"status": status, "answer": {"error": {"message": "It will not do."}}})
    with pytest.raises(EmbeddingError, match=rf"answered {status} \(It will not do\)\. ") as caught:
        await embedder.embed(["a"])
    assert words in str(caught.value)
    assert len(server.inputs()) == 1


async def test_a_redirect_is_not_followed(server, embedder):
    server.plans.append({"status": 307, "headers": {"Location": f"{server.url}/elsewhere"}})
    with pytest.raises(EmbeddingError, match=r"307.*redirects to"):
        await embedder.embed(["a"])
    assert len(server.inputs()) == 1


def short(answer):
    answer["data"].pop()


def repeated(answer):
    answer["data"][1]["index"] = 0


def ragged(answer):
    answer["data"][1]["embedding"].pop()


def other_model(answer):
    for row in answer["data"]:
        row["embedding"].append(1.0)


def nan(answer):
    answer["data"][1]["embedding"][0] = float("nan")


def huge(answer):
    answer["data"][1]["embedding"][0] = 1e300


def zero(answer):
    answer["data"][1]["embedding"] = [0] * DIMENSION


def words(answer):
    answer["data"][1]["embedding"] = ["a"] * DIMENSION


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (short, r"shape \(1, 4\) where \(2, 4\)"),
        (repeated, "cannot be read"),
        (ragged, "cannot be read"),
        (words, "cannot be read"),
        (other_model, r"shape \(2, 5\) where \(2, 4\).*replaced"),
        (nan, "NaN or infinite"),
        (huge, "NaN or infinite"),
        (zero, "zero vector for text 1"),
    ],
)
async def test_a_wrong_answer_is_refused(server, embedder, change, message):
    server.plans.append({"change": change})
    with pytest.raises(EmbeddingError, match=message):
        await embedder.embed(["a", "b"])


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b"{}", b'{"data": 3}', b'{"embeddings": [[1, 2, 3, 4]]}']
)
async def test_an_answer_in_another_language_is_refused(server, embedder, answer):
    server.plans.append({"answer": answer})
    with pytest.raises(EmbeddingError, match="OpenAI-compatible embedding endpoint"):
        await embedder.embed(["a"])


async def test_the_first_failure_of_many_batches_is_the_one_that_is_raised(server, embedder):
    server.plans += [{"status": 401}, {"delay": 0.1}, {"delay": 0.1}]
    with pytest.raises(EmbeddingError, match="answered 401"):
        await embedder.embed([str(number) for number in range(1000)])
    assert len(server.inputs()) < 1000 / embedder.batch


# -- the key --------------------------------------------------------------------------------------


async def test_the_key_is_sent_and_shown_nowhere(server, caplog):
    caplog.set_level(logging.DEBUG)
    embedder = make(server.url, embedding_api_key=KEY)
    await embedder.embed(["a"])
    assert {headers["Authorization"] for _, headers, *_ in server.requests} == {f"Bearer {KEY}"}
    server.plans += [{"status": 500}, {"status": 401, "answer": {"error": f"bad key {KEY}"}}]
    with pytest.raises(EmbeddingError, match=r"bad key \*\*\*") as caught:
        await embedder.embed(["a"])
    await embedder.close()
    assert "embedding_request_repeated" in caplog.text
    assert KEY not in caplog.text + repr(caught.value) + repr(embedder.config)


async def test_without_a_key_no_authorization_is_sent(server, embedder):
    await embedder.embed(["a"])
    assert all("Authorization" not in headers for _, headers, *_ in server.requests)


@pytest.mark.parametrize(
    "url",
    ["ftp://host/x", "localhost:11434", "http://", "http://h:99999", "http://h:0", "http://["],
)
def test_what_is_no_http_url_is_refused(url):
    with pytest.raises(ConfigurationError, match="VICTOR_EMBEDDING_BASE_URL"):
        make(url)


def test_a_password_in_the_url_is_refused_without_showing_it():
    with pytest.raises(ConfigurationError, match="VICTOR_EMBEDDING_API_KEY") as caught:
        make(f"http://me:{KEY}@host")
    assert KEY not in str(caught.value)


# -- event loops ----------------------------------------------------------------------------------


async def test_one_loop_keeps_its_connection(server, embedder):
    for text in "abc":
        await embedder.embed([text])
    assert len(server.peers) == 1


def test_loops_one_after_another_and_side_by_side_leave_nothing_open(server):
    embedder = make(server.url)

    def use(text):
        return asyncio.run(embedder.embed([text])).tolist()

    for text in "abc":
        assert np.allclose(use(text), [unit(text)])
    with ThreadPoolExecutor(4) as pool:
        texts = [f"text {number}" for number in range(12)]
        for text, vectors in zip(texts, pool.map(use, texts), strict=True):
            assert np.allclose(vectors, [unit(text)])
    gc.collect()  # an open socket or client would be a ResourceWarning here, and so an error
    assert not embedder._connections


async def test_closing_also_closes_the_connection_of_another_running_loop(server):
    embedder = make(server.url)
    other = asyncio.new_event_loop()
    thread = threading.Thread(target=other.run_forever)
    thread.start()
    elsewhere = asyncio.run_coroutine_threadsafe(embedder.embed(["a"]), other)
    await asyncio.wrap_future(elsewhere)
    await embedder.embed(["b"])
    clients = [connection.client for connection in embedder._connections.values()]
    await embedder.close()
    await embedder.close()
    other.call_soon_threadsafe(other.stop)
    thread.join()
    other.close()
    assert [client.is_closed for client in clients] == [True, True]


@pytest.mark.filterwarnings("ignore")  # such a loop leaves its sockets to the garbage collector
def test_loops_that_are_closed_without_their_shutdown_do_not_pile_up(server):
    embedder = make(server.url)
    for text in "abcd":
        loop = asyncio.new_event_loop()
        assert np.allclose(loop.run_until_complete(embedder.embed([text])), [unit(text)])
        loop.close()
    assert len(embedder._connections) == 1
    embedder._connections.clear()
    gc.collect()


async def test_a_closed_embedder_connects_again(embedder):
    await embedder.close()
    assert np.allclose(await embedder.embed(["a"]), [unit("a")])
