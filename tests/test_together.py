"""One question to all memories: each with its own best, and none in the way of the others."""

import subprocess

import pytest

from victor_memory import MemorySettings, open_runtime
from victor_memory.codebase.commit_search import CommitHit
from victor_memory.errors import InvalidRequestError, ProviderClosedError
from victor_memory.together import search_together


def git(root, *arguments):
    identity = ("-c", "user.name=n", "-c", "user.email=e@x")
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repo(tmp_path):
    root = tmp_path / "repo"
    root.mkdir()
    (root / "retry.py").write_text("def retry_limit():\n    return 5\n", encoding="utf-8")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Raise the retry limit\n\nThe gateway drops connections.")
    return root


@pytest.fixture
async def memory(tmp_path, repo):
    settings = MemorySettings(
        embeddings_dir=tmp_path / "e", embedding_model_type="hashing", vector_store="memory"
    )
    async with open_runtime(settings, project=repo) as opened:
        await opened.conversation.remember("We decided on a retry limit of five.")
        yield opened


async def test_each_memory_answers_with_its_own(memory):
    code, history, conversation = await memory.search_all("why is the retry limit five?")
    assert (code.kind, history.kind, conversation.kind) == ("code", "history", "conversation")
    assert code.results[0].path == "retry.py"
    assert isinstance(history.results[0], CommitHit)
    assert history.results[0].subject == "Raise the retry limit"
    assert conversation.results[0].memory.text == "We decided on a retry limit of five."
    assert (code.notice, history.notice, conversation.notice) == (None, None, None)


async def test_the_limit_is_for_each(memory, repo):
    for number in range(5):
        git(repo, "commit", "-q", "--allow-empty", "-m", f"Retry limit {number}")
        await memory.conversation.remember(f"The retry limit was once {number}.")
    code, history, conversation = await memory.search_all("retry limit", limit=3)
    assert [len(one.results) for one in (code, history, conversation)] == [1, 3, 3]


async def test_a_memory_that_cannot_answer_says_why_and_the_others_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "retry.py").write_text("def retry():\n    pass\n", encoding="utf-8")
    settings = MemorySettings(
        embeddings_dir=tmp_path / "e", embedding_model_type="hashing", vector_store="memory"
    )
    async with open_runtime(settings, project=tmp_path / "plain") as memory:
        code, history, conversation = await memory.search_all("retry")
        assert code.results[0].path == "retry.py"
        assert history.results == ()
        assert "no git repository" in history.notice
        assert conversation.results == ()
    with pytest.raises(ProviderClosedError):
        await search_together("retry", code=memory.codebase, conversation=memory.conversation)


async def test_a_question_that_cannot_be_asked_is_asked_of_nobody(memory):
    with pytest.raises(InvalidRequestError, match="query is empty"):
        await memory.search_all(" ")
    with pytest.raises(InvalidRequestError, match="limit is 0"):
        await memory.search_all("retry", limit=0)
    assert await search_together("retry") == ()
