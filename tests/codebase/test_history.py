"""The history as memory: real repositories, real git, whatever state they are in."""

import asyncio
from datetime import UTC, datetime

import pytest

from victor_memory.codebase.commit_search import excerpt
from victor_memory.codebase.commits import MAX_FILES, Repository
from victor_memory.codebase.history import HistoryMemory
from victor_memory.errors import InvalidRequestError, PluginError, ProviderUnavailableError
from victor_memory.filters import where
from victor_memory.redaction import Redaction


@pytest.fixture
def commit(git, write, monkeypatch):
    """Commit files with a message; every commit is a day after the one before."""
    day = iter(range(1, 1000))

    def make(root, message, name="Ada Lovelace", **files):
        if not (root / ".git").exists():
            root.mkdir(exist_ok=True)
            git(root, "init", "-q", "-b", "main")
        for path, content in files.items():
            write.file(root, path, content)
        seconds = int(datetime(2024, 1, 1, 12, tzinfo=UTC).timestamp()) + 86_400 * next(day)
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{seconds} +0000")
        monkeypatch.setenv("GIT_AUTHOR_DATE", f"{seconds} +0000")
        monkeypatch.setenv("GIT_AUTHOR_NAME", name)
        monkeypatch.setenv("GIT_AUTHOR_EMAIL", "ada@example.com")
        git(root, "add", "-A")
        git(root, "commit", "-q", "--allow-empty", "--cleanup=verbatim", "-m", message)
        return head(root)

    def head(root):
        return git(root, "rev-parse", "HEAD").decode().strip()

    make.head = head
    return make


@pytest.fixture
def repo(tmp_path, commit):
    root = tmp_path / "repo"
    commit(root, "Add a client", **{"src/client.py": "1"})
    commit(
        root,
        "Raise the retry limit\n\nThe gateway drops the first connection after a deployment, so "
        "three attempts were too few.\n\nSigned-off-by: Ada <ada@example.com>",
        **{"src/retry.py": "1", "src/client.py": "2"},
    )
    commit(root, "Write a readme", name="Grace Hopper", **{"README.md": "1"})
    return root


async def subjects(history, query, **given):
    return [one.subject for one in (await history.search(query, **given)).hits]


async def stored(provider):
    found = set()
    async for batch in provider.scan(where("kind", "=", "commit")):
        found.update(one.id for one in batch)
    return found


async def test_a_question_finds_the_commit_that_answers_it(repo, provider, commit):
    answer = await HistoryMemory(provider, repo).search("why was the retry limit raised?")
    best = answer.hits[0]
    assert answer.notice is None
    assert best.subject == "Raise the retry limit"
    assert best.excerpt.startswith("The gateway drops the first connection")
    assert (best.author, best.date) == ("Ada Lovelace", "2024-01-03T12:00:00+00:00")
    assert best.files == ("src/client.py", "src/retry.py")
    assert best.sha == Repository(repo).newest(None)[1]
    assert best.sha.startswith(best.short)
    assert best.parents == 1
    added = ("text", "subject", "file", "change", "name", "recency")
    assert best.score == pytest.approx(sum(best.parts[one] for one in added) * best.parts["merge"])


async def test_no_address_and_no_secret_is_kept(tmp_path, provider, commit, contents):
    secret = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    commit(
        tmp_path / "r",
        f"Use {secret} no more\n\nReported by joe@example.com and Jim <jim@x>.\n"
        "Co-authored-by: Joe <joe@example.com>",
        a="1",
    )
    history = HistoryMemory(provider, tmp_path / "r", redactors=[
        lambda text: Redaction(text.replace("Jim", "[name]")),
    ])  # fmt: skip
    (hit,) = (await history.search("no more")).hits
    assert hit.subject == "Use [redacted:github-token] no more"
    assert hit.excerpt == "Reported by  and [name]."
    everything = str(await contents(provider))
    assert "@" not in everything
    assert secret[4:].lower() not in everything.lower()


async def test_filters(repo, provider):
    history = HistoryMemory(provider, repo)
    every = "the client, retry and readme"
    assert set(await subjects(history, every)) == {
        "Add a client", "Raise the retry limit", "Write a readme",
    }  # fmt: skip
    assert await subjects(history, every, author="hopper") == ["Write a readme"]
    assert set(await subjects(history, every, path="src/")) == {
        "Add a client", "Raise the retry limit",
    }  # fmt: skip
    assert await subjects(history, every, path="retry.py") == ["Raise the retry limit"]
    late = datetime(2024, 1, 4, tzinfo=UTC)
    assert await subjects(history, every, since=late) == ["Write a readme"]
    assert "Write a readme" not in await subjects(history, every, until=late)
    assert len(await subjects(history, every, limit=1)) == 1
    for mode in ("lexical", "semantic"):
        assert (await subjects(history, "retry limit", mode=mode))[0] == "Raise the retry limit"


async def test_a_file_that_the_question_names_counts(tmp_path, provider, commit):
    root = tmp_path / "r"
    commit(root, "Speed it up", **{"src/cache.py": "1"})
    for number in range(5):
        commit(root, "Speed it up", **{f"src/other{number}.py": "1"})
    (best, *_) = (await HistoryMemory(provider, root).search("speed of cache.py")).hits
    assert best.files == ("src/cache.py",)
    assert best.parts["file"] > 0


async def test_what_appeared_or_went_is_found_where_it_did(tmp_path, provider, commit):
    root = tmp_path / "r"
    commit(root, "Extract the core", **{"core/lib.rs": "1"})
    for number in range(5):
        commit(root, f"Change the core {number}", **{"core/lib.rs": f"core {number}"})
    (root / "core" / "lib.rs").unlink()
    commit(root, "Back to one crate, without the core", **{"lib.rs": "1"})
    history = HistoryMemory(provider, root)
    assert (await subjects(history, "why was core introduced"))[0] == "Extract the core"
    (best, *others) = (await history.search("why was core removed")).hits
    assert best.subject == "Back to one crate, without the core"
    assert best.parts["change"] > 0
    assert {one.parts["change"] for one in others} == {0}


async def test_only_new_commits_are_read(repo, provider, embedder, commit):
    history = HistoryMemory(provider, repo)
    assert (await history.update()).commits_written == 3
    before = len(embedder.documents)
    assert (await history.update()).commits_written == 0
    assert len(embedder.documents) == before
    commit(repo, "Cache the answer", b="1")
    report = await history.update()
    assert (report.commits_written, report.commits) == (1, 4)
    # One for the commit, one for the note of what was seen.
    assert len(embedder.documents) == before + 2
    assert (await subjects(history, "cache"))[0] == "Cache the answer"


async def test_what_nothing_leads_to_any_more_is_forgotten(repo, provider, git, commit):
    history = HistoryMemory(provider, repo)
    old = commit(repo, "A mistake", mistake="1")
    await history.update()
    git(repo, "commit", "-q", "--amend", "-m", "A mistake, corrected")
    assert "A mistake" not in await subjects(history, "mistake")
    assert (await subjects(history, "mistake"))[0] == "A mistake, corrected"
    assert old not in await stored(provider)
    git(repo, "reset", "-q", "--hard", "HEAD~1")
    report = await history.update()
    assert (report.commits_removed, report.commits) == (1, 3)


async def test_branches_tags_and_worktrees_count_and_stashes_do_not(repo, provider, git, commit):
    git(repo, "switch", "-q", "-c", "side")
    commit(repo, "On a branch", side="1")
    git(repo, "switch", "-q", "--detach")
    commit(repo, "Tagged", tagged="1")
    git(repo, "tag", "v1")
    git(repo, "switch", "-q", "main")
    git(repo, "worktree", "add", "-q", "--detach", str(repo.parent / "tree"))
    commit(repo.parent / "tree", "In a worktree", tree="1")
    (repo / "README.md").write_text("stashed", encoding="utf-8")
    git(repo, "stash", "-q")
    git(repo, "update-ref", "refs/pull/7/head", commit(repo.parent / "tree", "Proposed", x="1"))
    git(repo.parent / "tree", "reset", "-q", "--hard", "HEAD~1")
    report = await HistoryMemory(provider, repo).update()
    assert report.commits == 6
    found = await subjects(HistoryMemory(provider, repo.parent / "tree"), "stash branch worktree")
    assert {"On a branch", "In a worktree"} <= set(found)
    assert "Proposed" not in found
    assert not [one for one in found if one.startswith("WIP")]


async def test_a_merge_has_what_it_brought(repo, provider, git, commit):
    git(repo, "switch", "-q", "-c", "side")
    commit(repo, "Add a cache", **{"src/cache.py": "1"})
    git(repo, "switch", "-q", "main")
    commit(repo, "Meanwhile", **{"src/meanwhile.py": "1"})
    git(repo, "merge", "-q", "--no-ff", "-m", "Merge the cache", "side")
    answer = await HistoryMemory(provider, repo).search("cache")
    assert [one.subject for one in answer.hits[:2]] == ["Add a cache", "Merge the cache"]
    merge = answer.hits[1]
    assert (merge.parents, merge.files) == (2, ("src/cache.py",))


async def test_odd_messages_and_paths(tmp_path, provider, git, commit, write):
    root = tmp_path / "r"
    commit(root, "Grüße 👋 in UTF-8", **{"ä ö\n.txt": "1", "tab\t.txt": "1"})
    git(root, "config", "i18n.commitEncoding", "latin1")
    (tmp_path / "message").write_bytes("Grüße in Latin-1".encode("latin1"))
    git(root, "commit", "-q", "--allow-empty", "-F", str(tmp_path / "message"))
    git(root, "config", "--unset", "i18n.commitEncoding")
    git(root, "commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
    (root / b"\xff.txt".decode("utf-8", "surrogateescape")).write_bytes(b"1")
    git(root, "add", "-A")
    tree = git(root, "write-tree")
    raw = b"tree %sparent %s\nauthor A <a@x> 99999999999999 +0000\n" % (
        tree,
        commit.head(root).encode(),
    )
    (tmp_path / "raw").write_bytes(raw + b"committer A <a@x> 1 +0000\n\nnot \xff utf-8\n")
    sha = git(root, "hash-object", "-t", "commit", "-w", str(tmp_path / "raw")).decode().strip()
    git(root, "update-ref", "HEAD", sha)
    git(root, "config", "diff.relative", "true")
    git(root, "config", "log.showSignature", "true")
    read = {one.subject: one for one in Repository(root).read(Repository(root).newest(None))}
    assert set(read) == {"Grüße 👋 in UTF-8", "Grüße in Latin-1", "", "not \ufffd utf-8"}
    assert read["Grüße 👋 in UTF-8"].files == ("tab\t.txt", "ä ö\n.txt")
    assert read["not \ufffd utf-8"].files == ("\\xff.txt",)
    assert (await HistoryMemory(provider, root).update()).commits == 4


async def test_a_commit_of_very_many_files_keeps_a_bounded_list(tmp_path, provider, commit):
    root = tmp_path / "r"
    commit(root, "Import", **{f"f{number:04}.txt": "1" for number in range(MAX_FILES + 50)})
    (hit,) = (await HistoryMemory(provider, root).search("import")).hits
    assert (len(hit.files), hit.file_count) == (MAX_FILES, MAX_FILES + 50)


async def test_only_the_newest_commits_unless_more_are_asked_for(repo, provider, commit, git):
    few = HistoryMemory(provider, repo, max_commits=2)
    report = await few.update()
    assert report.commits == 2
    assert "Add a client" not in await subjects(few, "client")
    assert "newest 2 commits" in (await few.search("client")).notice
    for number in range(3):
        commit(repo, f"Newer {number}", n=str(number))
    report = await few.update()
    assert (report.commits_removed, report.commits_written) == (0, 2)  # all are still reachable
    more = HistoryMemory(provider, repo, max_commits=10)
    assert (await more.update()).commits == 6
    assert (await more.search("client")).notice is None


async def test_a_shallow_clone_says_so_and_is_completed(repo, tmp_path, provider, git):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo}", str(clone))
    history = HistoryMemory(provider, clone)
    answer = await history.search("readme")
    assert "git fetch --unshallow" in answer.notice
    (hit,) = answer.hits
    assert hit.files == ()  # git would say that it touches everything
    git(clone, "fetch", "-q", "--unshallow")
    answer = await history.search("readme")
    assert answer.notice is None
    assert next(one for one in answer.hits if one.sha == hit.sha).files == ("README.md",)


async def test_a_partial_clone_is_read_without_files_and_fetches_nothing(
    repo, tmp_path, provider, git
):
    git(repo, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--bare", "--filter=tree:0", f"file://{repo}", str(clone))
    answer = await HistoryMemory(provider, clone).search("retry limit")
    assert answer.hits[0].subject == "Raise the retry limit"
    assert answer.hits[0].files == ()


async def test_without_commits_it_says_so(tmp_path, provider, git):
    git(tmp_path, "init", "-q")
    answer = await HistoryMemory(provider, tmp_path).search("anything")
    assert answer.hits == ()
    assert "Commit something" in answer.notice


async def test_without_a_repository_or_git_there_is_a_next_step(
    tmp_path, provider, repo, monkeypatch
):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "plain").mkdir()
    with pytest.raises(InvalidRequestError, match=r"no git repository.*git init"):
        await HistoryMemory(provider, tmp_path / "plain").search("anything")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProviderUnavailableError, match="Install git"):
        await HistoryMemory(provider, repo).search("anything")


async def test_a_damaged_repository_is_an_error_with_a_reason(repo, provider):
    head = (repo / ".git" / "refs" / "heads" / "main").read_text(encoding="utf-8").strip()
    (repo / ".git" / "objects" / head[:2] / head[2:]).unlink()
    with pytest.raises(ProviderUnavailableError, match="cannot be read"):
        await HistoryMemory(provider, repo).update()


async def test_a_run_that_was_killed_is_completed_by_the_next(repo, new_provider, commit, embedder):
    for number in range(30):
        commit(repo, f"Change number {number}", n=str(number))
    async with new_provider() as provider:
        history = HistoryMemory(provider, repo)
        provider.embedder.fail_after = 20
        history_module = type(history).__module__
        import sys

        module = sys.modules[history_module]
        size, module._COMMITS_PER_WRITE = module._COMMITS_PER_WRITE, 10
        read, module._COMMITS_PER_READ = module._COMMITS_PER_READ, 10
        try:
            with pytest.raises(Exception, match="power"):
                await history.update()
            assert len(await stored(provider)) == 20
            assert not (await history.status()).up_to_date
            assert await stored(provider) == set(Repository(repo).newest(20))
            provider.embedder.fail_after = None
            assert (await history.update()).commits_written == 13
        finally:
            module._COMMITS_PER_WRITE, module._COMMITS_PER_READ = size, read
        assert await stored(provider) == set(Repository(repo).newest(None))
        assert (await history.status()).up_to_date


async def test_a_redactor_that_fails_keeps_everything_out(repo, provider):
    def broken(text):
        raise RuntimeError(text)

    with pytest.raises(PluginError):
        await HistoryMemory(provider, repo, redactors=[broken]).update()
    assert await stored(provider) == set()


async def test_a_search_does_not_wait_for_ever(repo, provider, embedder):
    history = HistoryMemory(provider, repo)
    let_go = asyncio.Event()
    embed = embedder.embed

    async def slowly(texts, purpose="document"):
        if purpose == "document":
            await let_go.wait()
        return await embed(texts, purpose=purpose)

    embedder.embed = slowly
    answer = await history.search("retry", wait=0.05)
    assert answer.hits == ()
    assert "still being read" in answer.notice
    let_go.set()
    assert (await subjects(history, "retry", wait=None))[0] == "Raise the retry limit"


async def test_closing_stops_reading(repo, provider, embedder):
    history = HistoryMemory(provider, repo)
    never = asyncio.Event()

    async def hang(texts, purpose="document"):
        await never.wait()

    embed, embedder.embed = embedder.embed, hang
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(history.search("retry", wait=None), 0.05)
    await history.close()
    embedder.embed = embed
    assert len(await subjects(history, "retry limit")) > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"query": " "}, "query is empty"),
        ({"query": "x", "limit": 0}, "1 to 1000"),
        ({"query": "x", "mode": "symbol"}, "hybrid, semantic, lexical"),
        ({"query": "x", "author": " "}, "author is empty"),
        ({"query": "x", "path": "#"}, "matches nothing"),
    ],
)
async def test_a_request_that_cannot_be_answered_does_nothing(repo, provider, given, message):
    history = HistoryMemory(provider, repo)
    with pytest.raises(InvalidRequestError, match=message):
        await history.search(**given)
    assert await stored(provider) == set()


def test_an_excerpt_is_whole_paragraphs_about_the_question():
    body = (
        "\n\n".join(f"Paragraph {n} " + "word " * 40 for n in range(8)) + "\n\nThe gateway is slow."
    )
    shown = excerpt(body, frozenset(["gateway"]), 300)
    assert shown.endswith("The gateway is slow.")
    assert shown.startswith("Paragraph 0")
    assert shown.count("[...]") == 1
    assert excerpt("word " * 400, frozenset(), 100).endswith("word [...]")
    assert excerpt("short", frozenset()) == "short"
