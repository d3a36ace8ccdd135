"""What the tests of the codebase memory share: real files, real repositories, counted embeddings."""

import os
import subprocess
import threading
import time

import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.embedders.hashing import HashingEmbedder
from victor_memory.providers.lancedb import LanceDBProvider
from victor_memory.providers.memory import MemoryProvider

CONFIG = EmbeddingConfig(vector_store="memory", embedding_model_type="hashing")


class CountingEmbedder(HashingEmbedder):
    """The hashing embedder, which also remembers the documents it was given, or stops working."""

    def __init__(self, config=CONFIG):
        super().__init__(config)
        self.documents = []
        self.fail_after = None

    def _encode(self, texts, purpose):
        if purpose == "document":
            left = None if self.fail_after is None else self.fail_after - len(self.documents)
            if left is not None and left < len(texts):
                msg = "the power went out"
                raise RuntimeError(msg)
            self.documents.extend(texts)
        return super()._encode(texts, purpose)


@pytest.fixture
def embedder():
    return CountingEmbedder()


@pytest.fixture
async def provider(embedder):
    async with MemoryProvider(CONFIG, embedder=embedder) as opened:
        yield opened


@pytest.fixture
def new_provider():
    def build():
        return MemoryProvider(CONFIG, embedder=CountingEmbedder())

    return build


@pytest.fixture
async def new_lance(tmp_path):
    """Open one collection several times, as several processes would."""
    opened = []

    def build():
        config = EmbeddingConfig(
            vector_store="lancedb",
            persist_directory=str(tmp_path / "stored"),
            embedding_model_type="hashing",
        )
        opened.append(LanceDBProvider(config, embedder=CountingEmbedder()))
        return opened[-1]

    yield build
    for one in opened:
        await one.close()


@pytest.fixture
def write():
    def put(root, **files):
        for name, content in files.items():
            write_file(root, name, content)

    def write_file(root, name, content):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    put.file = write_file
    return put


@pytest.fixture
def root(tmp_path, write, request):
    """Return a directory with the FILES of the test's module."""
    root = tmp_path / "root"
    root.mkdir()
    write(root, **request.module.FILES)
    return root


@pytest.fixture
def git(tmp_path, monkeypatch):
    """Run git as nobody in particular, whatever this machine's configuration says."""
    home = tmp_path / "home"
    home.mkdir()
    for name in [one for one in os.environ if one.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")

    def run(root, *arguments):
        identity = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "protocol.file.allow=always")
        command = ["git", "-C", str(root), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    return run


@pytest.fixture
def contents():
    """Return everything a store holds, comparable."""

    async def read(provider):
        found = {}
        async for batch in provider.scan(with_vectors=True):
            for one in batch:
                assert one.id not in found
                found[one.id] = (one.text, one.terms, dict(one.metadata), one.vector.tobytes())
        return found

    return read


class SlowEmbedder(CountingEmbedder):
    """A model that takes *seconds* for each text, and stops where it is told to."""

    def __init__(self, seconds=0.0):
        super().__init__()
        self.seconds = seconds
        self.gate = threading.Event()
        self.gate.set()

    def _encode(self, texts, purpose):
        if purpose == "document":
            self.gate.wait()
            time.sleep(self.seconds * len(texts))
        return super()._encode(texts, purpose)


@pytest.fixture
def slow():
    embedder = SlowEmbedder()
    yield embedder
    embedder.gate.set()


@pytest.fixture
async def lance(tmp_path):
    """Open LanceDB collections in one directory, as several processes would."""
    opened = []

    def build(embedder=None, collection="code"):
        config = EmbeddingConfig(
            persist_directory=tmp_path / "embeddings",
            embedding_model_type="hashing",
            extra_config={"collection": collection},
        )
        opened.append(LanceDBProvider(config, embedder=embedder or CountingEmbedder()))
        return opened[-1]

    yield build
    for one in opened:
        await one.close()
