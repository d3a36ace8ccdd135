"""What the tests of the transfer share: homes of agents, transcripts in their formats, real stores."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.embedders.hashing import HashingEmbedder
from victor_memory.providers.lancedb import LanceDBProvider
from victor_memory.providers.memory import MemoryProvider
from victor_memory.scope import project_scope
from victor_memory.transfer.service import Transfer

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return a home directory of its own, with no agent's files in it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in [
        one for one in os.environ if one.startswith(("GIT_", "CLAUDE_", "CODEX_", "VICTOR_"))
    ]:
        monkeypatch.delenv(name)
    return home


@pytest.fixture
def repository(tmp_path, home):
    """Make repositories."""

    def make(name):
        root = tmp_path / name
        root.mkdir()
        subprocess.run(["git", "init", "-q", str(root)], check=True)
        return root

    return make


class Places:
    """The memories of several projects in one directory, opened like the runtime does."""

    def __init__(self, directory, kind):
        self.directory = directory
        self.kind = kind
        self.opened = {}

    def __call__(self, project):
        if project not in self.opened:
            config = EmbeddingConfig(
                vector_store="lancedb" if self.kind is LanceDBProvider else "memory",
                persist_directory=self.directory / "conversation",
                embedding_model_type="hashing",
                extra_config={"collection": project},
            )
            provider = self.kind(config, embedder=HashingEmbedder(config))
            self.opened[project] = ConversationMemory(provider, project)
        return self.opened[project]

    def transfer(self, root):
        scope = project_scope(root)
        return Transfer(scope.project, Path(scope.root), self, self.directory)

    async def turns(self, root):
        """Return session, index, role and text of every turn that the project at *root* has."""
        memory = self(project_scope(root).project)
        return sorted(
            (one.session, one.index, one.role, one.text)
            for one in await self.all(memory)
            if one.kind == "turn"
        )

    async def notes(self, root):
        memory = self(project_scope(root).project)
        return sorted((one.kind, one.text) for one in await self.all(memory) if one.kind != "turn")

    async def all(self, memory):
        from victor_memory.conversation.records import from_record

        return [from_record(one) async for batch in memory.provider.scan() for one in batch]

    async def close(self):
        for one in self.opened.values():
            await one.provider.close()


@pytest.fixture
async def places(tmp_path):
    opened = Places(tmp_path / "embeddings", LanceDBProvider)
    yield opened
    await opened.close()


@pytest.fixture
async def reopened(tmp_path):
    """Open the same directory once more, as another process would."""
    made = []

    def make():
        made.append(Places(tmp_path / "embeddings", LanceDBProvider))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture
async def volatile(tmp_path):
    opened = Places(tmp_path / "volatile", MemoryProvider)
    yield opened
    await opened.close()
