"""The manifest: written once and whole, and checked before anything else is opened."""

import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from victor_memory.errors import CorruptStoreError, EmbedderMismatchError, StoreMismatchError
from victor_memory.providers._manifest import (
    SCHEMA_VERSION,
    Manifest,
    read_manifest,
    write_manifest,
)

HERE = Manifest(
    provider="lancedb", metric="cosine", embedder="static:code-v1:256:abc", dimension=256
)


def changed(**fields):
    return HERE.model_copy(update=fields)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "collection" / "manifest.json"


# -- comparison -----------------------------------------------------------------------------------


def test_equal_manifests_agree():
    changed(created_by="victor-memory 0.0.1").check(HERE, "Here")


@pytest.mark.parametrize(
    ("found", "error", "remedy"),
    [
        (changed(provider="sqlite"), StoreMismatchError, "VICTOR_VECTOR_STORE=sqlite"),
        (changed(metric="dot"), StoreMismatchError, "VICTOR_DISTANCE_METRIC=dot"),
        (changed(schema_version=SCHEMA_VERSION + 1), StoreMismatchError, "--upgrade victor-memory"),
        (
            changed(embedder="http:nomic-embed-text:latest:256:", dimension=256),
            EmbedderMismatchError,
            "VICTOR_EMBEDDING_MODEL_NAME=nomic-embed-text:latest ",
        ),
        (
            changed(embedder="hashing:hashing-64:64:", dimension=64),
            EmbedderMismatchError,
            "VICTOR_EMBEDDING_MODEL_TYPE=hashing",
        ),
        (
            changed(embedder="static:code-v1:256:def"),
            EmbedderMismatchError,
            "files have changed: bring the former ones back to use them; a codebase index can be",
        ),
    ],
)
def test_mismatch_names_the_remedy(found, error, remedy):
    with pytest.raises(error) as caught:
        found.check(HERE, "The collection in /data")
    assert str(caught.value).startswith("The collection in /data")
    assert remedy in str(caught.value)


# -- files ----------------------------------------------------------------------------------------


def test_missing_manifest(path):
    assert read_manifest(path) is None


def test_written_manifest_is_read(path):
    assert write_manifest(path, HERE) == HERE
    assert read_manifest(path) == HERE
    assert json.loads(path.read_text(encoding="utf-8"))["provider"] == "lancedb"


def test_first_manifest_is_kept(path):
    write_manifest(path, HERE)
    assert write_manifest(path, changed(provider="sqlite")) == HERE
    assert read_manifest(path) == HERE


def test_nothing_else_is_left(path):
    write_manifest(path, HERE)
    write_manifest(path, HERE)
    assert [one.name for one in path.parent.iterdir()] == ["manifest.json"]


def test_fields_of_a_later_version_are_ignored(path):
    write_manifest(path, HERE)
    path.write_text(
        json.dumps({**json.loads(path.read_text(encoding="utf-8")), "later": [1]}), encoding="utf-8"
    )
    assert read_manifest(path) == HERE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"\0" * 100,
        b'{"provider": "x", "metric": "hamming", "embedder": "e", "dimension": 4}',
        b'{"provider": "x", "metric": "dot", "embedder": "e", "dimension": 0}',
        b'{"provider": "x", "metric": "dot", "embedder": "e", "dimension": "many"}',
    ],
)
def test_damaged_manifest(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(CorruptStoreError, match="is damaged"):
        read_manifest(path)
    assert path.read_bytes() == content


def test_one_of_many_threads_wins(path):
    def write(number):
        return write_manifest(path, changed(dimension=number + 1)).dimension

    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(write, range(64)))
    assert found == {read_manifest(path).dimension}


RACE = """
import sys
from pathlib import Path
from victor_memory.providers._manifest import Manifest, write_manifest

mine = Manifest(provider="p", metric="dot", embedder="e:m:1:", dimension=int(sys.argv[2]))
sys.stdin.readline()
print(write_manifest(Path(sys.argv[1]), mine).dimension)
"""


def test_one_of_many_processes_wins(path):
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for number in (1, 2, 3)
    ]
    found = {racer.communicate("go\n")[0].strip() for racer in racers}
    assert found == {str(read_manifest(path).dimension)}


def test_file_system_without_links(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert write_manifest(path, HERE) == HERE
    assert read_manifest(path) == HERE
    assert [one.name for one in path.parent.iterdir()] == ["manifest.json"]


def test_failed_write_leaves_nothing(path, monkeypatch):
    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_manifest(path, HERE)
    assert list(path.parent.iterdir()) == []
