"""Embeddings from a server: Ollama, or anything that speaks OpenAI's `/v1/embeddings`."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import threading
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import SplitResult, urlsplit

from victor_memory._logging import get_logger
from victor_memory.embedders._texts import pieces, pool
from victor_memory.embedders.base import BaseEmbedder, EmbedderInfo, Purpose
from victor_memory.errors import ConfigurationError, EmbeddingError

if TYPE_CHECKING:
    import httpx
    import tenacity

    from victor_memory.config import EmbeddingConfig
    from victor_memory.types import Vectors

logger = get_logger(__name__)

OLLAMA: Final = "http://127.0.0.1:11434"
OLLAMA_PORT: Final = 11434
OLLAMA_PATH: Final = "/api/embed"
OPENAI_PATH: Final = "/v1/embeddings"
BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
"""Statuses that may pass: the request is worth repeating."""
PATIENCE: Final = 5.0
"""Seconds another thread's event loop gets to close its connections."""
SHOWN: Final = 200
"""Characters of a server's own words that a message quotes."""
ADVICE: Final = {
    301: "Set VICTOR_EMBEDDING_BASE_URL to the place it redirects to",
    302: "Set VICTOR_EMBEDDING_BASE_URL to the place it redirects to",
    307: "Set VICTOR_EMBEDDING_BASE_URL to the place it redirects to",
    308: "Set VICTOR_EMBEDDING_BASE_URL to the place it redirects to",
    400: "Check the model's name and its input length",
    401: "Check VICTOR_EMBEDDING_API_KEY",
    403: "Check VICTOR_EMBEDDING_API_KEY",
    404: "Check VICTOR_EMBEDDING_BASE_URL and the model's name; with Ollama: ollama pull {model}",
    413: "Choose a model that reads longer texts",
    429: "Wait, or check the account's limits",
}


class _BusyError(Exception):
    """The server asks to come back later; *after* is how many seconds later, if it says so."""

    def __init__(self, status: int, reason: str, after: float | None) -> None:
        super().__init__(reason)
        self.status = status
        self.after = after


@dataclass(frozen=True, slots=True)
class _Connection:
    """What one event loop uses: neither part may be shared with another loop."""

    client: httpx.AsyncClient
    turns: asyncio.Semaphore
    lifetime: AsyncGenerator[httpx.AsyncClient]
    """Closes the client when it is closed, or when its loop shuts down."""

    async def close(self) -> None:
        await self.lifetime.aclose()


class HttpEmbedder(BaseEmbedder):
    """A model behind HTTP; the path of `embedding_base_url` tells which language its server speaks.

    Without a URL it is Ollama on this machine: no text leaves it unless you say so. `…/api/embed`,
    `…/api` and port 11434 are Ollama; anything else is OpenAI's form, where `/v1/embeddings` is
    added to a bare host and `/embeddings` to a path such as `…/v1`. The URL of an endpoint is taken
    as it is.

    Texts travel in batches, several at a time. A server that is away, busy (429 and its
    `Retry-After` included) or failing is asked again a few times. Texts longer than `longest` are
    cut, and the vectors averaged; shorter ones that exceed the model are the server's to handle.
    Vectors are scaled to unit length. Subclass to change the limits below.

    Raises:
        ConfigurationError: `embedding_base_url` is not an http or https URL, or holds a password.

    """

    type: ClassVar[str] = "http"
    default_model: ClassVar[str] = "nomic-embed-text"

    batch: ClassVar[int] = 64
    """Texts in one request."""
    concurrency: ClassVar[int] = 4
    """Requests under way at once, in each event loop."""
    attempts: ClassVar[int] = 4
    timeout: ClassVar[float] = 120.0
    """Seconds for the server to answer: a local one loads its model at the first request."""
    first_wait: ClassVar[float] = 0.5
    """Seconds before the second attempt; then twice as long each time."""
    longest_wait: ClassVar[float] = 60.0
    """A server that asks for more patience than this gets no second attempt."""
    longest: ClassVar[int] = 8000
    """Characters sent as one text: within the 8192 tokens that hosted models read."""

    def __init__(self, config: EmbeddingConfig) -> None:
        """Find the endpoint *config* means; nothing is asked of it yet."""
        super().__init__(config)
        url = _split(config.embedding_base_url or OLLAMA)
        self._url, self._ollama = _endpoint(url)
        host = f"[{url.hostname}]" if ":" in str(url.hostname) else url.hostname
        self._shown = f"{url.scheme}://{host}{f':{url.port}' if url.port else ''}"
        self._connections: dict[asyncio.AbstractEventLoop, _Connection] = {}
        self._guard = threading.Lock()

    async def _load(self) -> EmbedderInfo:
        vectors = await self._request(["dimension"])
        return EmbedderInfo(self.type, self.model_name, vectors.shape[1])

    async def _embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:  # noqa: ARG002 - the protocols know one kind of input
        import numpy as np

        parts = pieces(texts, self.longest)
        batches = [parts[at : at + self.batch] for at in range(0, len(parts), self.batch)]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._request([text for _, text in batch]))
                    for batch in batches
                ]
        except ExceptionGroup as failures:
            # The first failure cancelled the others; it alone is what the caller must read.
            raise failures.exceptions[0] from failures.exceptions[0].__cause__
        vectors = np.concatenate([task.result() for task in tasks])
        lengths = [max(1, len(text)) for _, text in parts]
        return pool(vectors, [owner for owner, _ in parts], lengths, len(texts))

    async def _request(self, texts: list[str]) -> Vectors:
        """Return the vectors of one batch, asking again while that may help."""
        import httpx
        import tenacity

        connection = await self._connect()
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(self._worth_repeating),
            wait=self._wait,
            stop=tenacity.stop_after_attempt(self.attempts),
            before_sleep=self._log,
            reraise=True,
        )
        try:
            async with connection.turns:
                return await retrying(self._post, connection.client, texts)
        except _BusyError as exc:
            raise self._refused(exc.status, str(exc)) from exc
        except httpx.HTTPError as exc:
            hint = "Start Ollama, or set" if self._ollama else "Start the server, or correct"
            msg = (
                f"The embedding server at {self._shown} did not answer "
                f"({type(exc).__name__}). {hint} VICTOR_EMBEDDING_BASE_URL."
            )
            raise EmbeddingError(msg) from exc

    def _worth_repeating(self, exc: BaseException) -> bool:
        import httpx

        if isinstance(exc, _BusyError):
            return exc.after is None or exc.after <= self.longest_wait
        return isinstance(exc, httpx.TransportError)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        if isinstance(failure, _BusyError) and failure.after is not None:
            return failure.after
        return min(self.first_wait * 2.0 ** (state.attempt_number - 1), self.longest_wait)

    def _log(self, state: tenacity.RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        logger.info(
            "embedding_request_repeated",
            embedder=self.model_name,
            attempt=state.attempt_number,
            error_type=type(failure).__name__,
        )

    async def _post(self, client: httpx.AsyncClient, texts: list[str]) -> Vectors:
        # OpenAI refuses an empty text; a blank one means the same to every model.
        body = {"model": self.model_name, "input": [text or " " for text in texts]}
        response = await client.post(self._url, json=body)
        if response.is_success:
            return self._vectors(response, len(texts))
        reason = self._reason(response)
        if response.status_code in BUSY:
            after = _retry_after(response.headers.get("Retry-After"))
            if after is not None:
                reason = f"{reason}, retry after {after:.0f} s"
            raise _BusyError(response.status_code, reason, after)
        raise self._refused(response.status_code, reason)

    def _vectors(self, response: httpx.Response, count: int) -> Vectors:
        """Return the vectors in *response*, in the order of the texts."""
        import numpy as np

        try:
            answer = response.json()
            rows = answer["embeddings"] if self._ollama else _in_order(answer["data"])
            with np.errstate(over="ignore"):  # becomes infinite, and that is refused later
                vectors = np.array(rows, dtype=np.float32)
        except (ValueError, TypeError, KeyError) as exc:
            msg = (
                f"The embedding server at {self._shown} sent an answer that cannot be read "
                f"({type(exc).__name__}). Check that VICTOR_EMBEDDING_BASE_URL is an "
                f"{'Ollama' if self._ollama else 'OpenAI-compatible'} embedding endpoint."
            )
            raise EmbeddingError(msg) from exc
        expected = (count, self._info.dimension if self._info else vectors.shape[-1])
        if vectors.shape != expected or not vectors.size:
            msg = (
                f"The embedding server at {self._shown} sent vectors of shape {vectors.shape} "
                f"where {expected} was expected. Check that {self.model_name!r} is an embedding "
                "model and has not been replaced on the server."
            )
            raise EmbeddingError(msg)
        return vectors

    def _refused(self, status: int, reason: str) -> EmbeddingError:
        advice = ADVICE.get(status, "Check the server").format(model=self.model_name)
        return EmbeddingError(
            f"The embedding server at {self._shown} answered {status}"
            f"{f' ({reason})' if reason else ''}. {advice}."
        )

    def _reason(self, response: httpx.Response) -> str:
        """Return the server's own words, shortened, and without the key if it repeats that."""
        try:
            error = response.json()["error"]
            text = str(error["message"] if isinstance(error, dict) else error)
        except (ValueError, TypeError, KeyError):
            text = response.reason_phrase
        if key := self.config.api_key:
            text = text.replace(key, "***")
        return text[:SHOWN].strip().rstrip(".")

    async def _connect(self) -> _Connection:
        """Return what the running loop uses, made at its first request."""
        loop = asyncio.get_running_loop()
        with self._guard:
            connection = self._connections.get(loop)
        if connection is None:
            lifetime = self._client()
            # An asynchronous generator is closed by its loop's shutdown, and so is the client then:
            # an embedder that outlives `asyncio.run` leaves no open socket behind. Nothing below
            # waits for anything, so no other task of this loop can come in between.
            client = await anext(lifetime)
            connection = _Connection(client, asyncio.Semaphore(self.concurrency), lifetime)
            with self._guard:
                # A loop that was closed without its shutdown cannot take its entry along.
                for gone in [other for other in self._connections if other.is_closed()]:
                    del self._connections[gone]
                self._connections[loop] = connection
        return connection

    async def _client(self) -> AsyncGenerator[httpx.AsyncClient]:
        import httpx

        key = self.config.api_key
        client = httpx.AsyncClient(
            timeout=self.timeout,
            headers={"Authorization": f"Bearer {key}"} if key else None,
            # Reading the certificates takes 50 ms, in vain where nothing is encrypted.
            verify=self._url.startswith("https:"),
        )
        try:
            yield client
        finally:
            with self._guard:
                self._connections.pop(asyncio.get_running_loop(), None)
            await client.aclose()

    async def close(self) -> None:
        """Close the connections of all running event loops; a later call opens new ones."""
        with self._guard:
            connections = list(self._connections.items())
            self._connections.clear()
        for loop, connection in connections:
            if loop is asyncio.get_running_loop():
                await connection.close()
            elif loop.is_running():
                # A loop that ends in this moment has closed its connection itself.
                with contextlib.suppress(RuntimeError, TimeoutError):
                    closing = asyncio.run_coroutine_threadsafe(connection.close(), loop)
                    await asyncio.wait_for(asyncio.wrap_future(closing), PATIENCE)


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        valid = url.scheme in {"http", "https"} and url.hostname and url.port != 0
    except ValueError:
        valid = False
    if not valid:
        # The value is not shown: it may hold a password.
        msg = (
            "The embedding base URL is not an http or https URL. Set VICTOR_EMBEDDING_BASE_URL to "
            f"one such as {OLLAMA}."
        )
        raise ConfigurationError(msg)
    if url.username or url.password:
        msg = (
            "The embedding base URL holds a user or password, which logs would show. Put the key "
            "into VICTOR_EMBEDDING_API_KEY instead."
        )
        raise ConfigurationError(msg)
    return url


def _endpoint(url: SplitResult) -> tuple[str, bool]:
    """Return the URL to post to, and whether an Ollama server is behind it."""
    path = url.path.rstrip("/")
    if path.endswith(OLLAMA_PATH):
        return url.geturl(), True
    if path.endswith("/embeddings"):
        return url.geturl(), False
    if path.endswith("/api"):
        return url._replace(path=f"{path}/embed").geturl(), True
    if path:
        return url._replace(path=f"{path}/embeddings").geturl(), False
    ollama = url.port == OLLAMA_PORT
    return url._replace(path=OLLAMA_PATH if ollama else OPENAI_PATH).geturl(), ollama


def _in_order(data: list[dict[str, Any]]) -> list[Any]:
    """Return the vectors in the order of their `index`, which need not be that of the list."""
    rows = {entry.get("index", place): entry["embedding"] for place, entry in enumerate(data)}
    if len(rows) != len(data):
        msg = "two embeddings have the same index"
        raise ValueError(msg)
    return [rows[place] for place in range(len(data))]


def _retry_after(header: str | None) -> float | None:
    """Return the seconds *header* asks to wait; it holds a number, or a date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
