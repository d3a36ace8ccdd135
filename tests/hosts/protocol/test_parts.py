"""The parts of the server by themselves: lines, roots, and which projects stay open."""

import asyncio
import os
import time

import pytest

from victor_memory import MemorySettings
from victor_memory.errors import ConfigurationError, InvalidRequestError
from victor_memory.hosts.mcp import http, projects
from victor_memory.hosts.mcp.projects import Projects, from_roots
from victor_memory.hosts.mcp.stdio import _lines


@pytest.mark.parametrize(
    ("sent", "lines"),
    [
        (b"", []),
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\nb", [b"a", b"b"]),
        (b"\n\n", [b"", b""]),
        (b"x" * 10 + b"\n", [b"x" * 10]),
        (b"x" * 11 + b"\nb\n", [None, b"b"]),
        (b"x" * 11, [None]),
        (b"x" * 100 + b"\n" + b"y" * 50 + b"\nb\n", [None, None, b"b"]),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_lines_of_any_length_in_pieces_of_any_size(sent, lines, size, monkeypatch):
    monkeypatch.setattr("victor_memory.hosts.mcp.stdio._READ", size)
    reading, writing = os.pipe()
    os.write(writing, sent)
    os.close(writing)
    try:
        assert list(_lines(reading, 10)) == lines
    finally:
        os.close(reading)


def test_the_first_root_that_is_a_directory_here(tmp_path):
    place = tmp_path / "a place, 100% ours"
    place.mkdir()
    (tmp_path / "file").write_text("x", encoding="utf-8")
    uris = [
        "https://example.org/",
        "file://elsewhere/tmp",
        (tmp_path / "file").as_uri(),
        "file:///\0",
    ]
    assert from_roots(uris) is None
    assert from_roots([*uris, place.as_uri(), tmp_path.as_uri()]) == place
    assert from_roots([place.as_uri().replace("file://", "file://localhost")]) == place
    assert from_roots([]) is None


@pytest.fixture
async def pool(tmp_path):
    settings = MemorySettings(
        embeddings_dir=tmp_path / "embeddings",
        vector_store="memory",
        embedding_model_type="hashing",
    )
    opened = Projects(settings, tmp_path)
    yield opened
    await opened.close()


async def test_clients_of_a_project_share_its_memories(pool, tmp_path):
    async def entered():
        async with pool.use(tmp_path) as memory:
            await asyncio.sleep(0.01)
            return memory

    first, second = await asyncio.gather(entered(), entered())
    assert first is second


async def test_a_project_nobody_uses_is_closed_and_one_in_use_is_not(pool, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    async with pool.use(tmp_path) as used:
        async with pool.use(other) as unused:
            pass
        pool.close_idle(time.monotonic() + 1)
        async with pool.use(tmp_path) as again:
            assert again is used
        async with pool.use(other) as anew:
            assert anew is not unused


async def test_of_many_projects_the_one_used_longest_ago_is_closed(pool, tmp_path, monkeypatch):
    monkeypatch.setattr(projects, "MOST_OPEN", 2)
    roots = [tmp_path / name for name in "abc"]
    opened = []
    for root in roots:
        root.mkdir()
        async with pool.use(root) as memory:
            opened.append(memory)
    async with pool.use(roots[1]) as memory:
        assert memory is opened[1]
    async with pool.use(roots[0]) as memory:
        assert memory is not opened[0]


async def test_a_project_that_could_not_be_opened_is_tried_again(pool, tmp_path):
    gone = tmp_path / "gone"
    with pytest.raises(InvalidRequestError, match="does not exist"):
        async with pool.use(gone):
            pass
    gone.mkdir()
    async with pool.use(gone) as memory:
        assert memory.scope.root == str(gone)


async def test_warming_creates_nothing(pool, tmp_path, monkeypatch):
    monkeypatch.setattr(projects, "DRAIN_AFTER_SECONDS", 0)
    root = tmp_path / "project"
    root.mkdir()
    pool.warm(root)
    await pool._open[root].warming
    assert not (tmp_path / "embeddings" / "codebase").exists()
    assert not (tmp_path / "embeddings" / "conversation").exists()


def test_a_token_is_long_and_plain(tmp_path):
    made, new = http.read_token(None, None)
    assert new
    assert http.read_token(made, None) == (made, False)
    for bad in ("short", "é" * 20, "a\nb" * 10):
        with pytest.raises(ConfigurationError, match="16 ASCII characters"):
            http.read_token(bad, None)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        http.read_token(None, tmp_path / "none")
