"""A project is its repository, wherever in it one stands."""

import re
import subprocess

import pytest

from victor_memory.errors import InvalidRequestError
from victor_memory.providers.base import ProviderOptions
from victor_memory.scope import current_branch, identifier, project_scope


def git(directory, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repo"
    (root / "sub").mkdir(parents=True)
    git(root, "init")
    git(root, "commit", "--allow-empty", "-m", "first")
    return root


def test_subdirectories_and_worktrees_share_the_project(repository, tmp_path):
    git(repository, "worktree", "add", str(tmp_path / "tree"), "-b", "other")
    scopes = [project_scope(one) for one in (repository, repository / "sub", tmp_path / "tree")]
    assert len({one.project for one in scopes}) == 1
    assert scopes[1].root == str(repository)
    assert scopes[2].root == str(tmp_path / "tree")


def test_another_repository_of_the_same_name_is_another_project(repository, tmp_path):
    other = tmp_path / "elsewhere" / "repo"
    other.mkdir(parents=True)
    git(other, "init")
    assert project_scope(other).project != project_scope(repository).project


def test_outside_a_repository_it_is_the_directory(tmp_path):
    assert project_scope(tmp_path).root == str(tmp_path)


def test_without_git_it_is_the_directory(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert project_scope(repository / "sub").root == str(repository / "sub")


@pytest.mark.parametrize(
    "name", ["plain", 'it\'s "quoted"', "naïve ☃", "new\nline", "...", "x" * 200]
)
def test_identifiers_are_safe_names_for_any_directory(tmp_path, name):
    project = identifier(tmp_path / name)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", project)
    assert ProviderOptions(collection=project).collection == project


@pytest.mark.parametrize(
    ("name", "reason"), [("missing", "does not exist"), ("file", "is not a directory")]
)
def test_a_path_that_is_no_directory_is_refused(tmp_path, name, reason):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidRequestError, match=reason):
        project_scope(tmp_path / name)
    with pytest.raises(InvalidRequestError):
        project_scope("nul\0byte")


def test_the_branch_is_that_of_the_working_tree(repository, tmp_path):
    git(repository, "checkout", "-b", "feature/one")
    git(repository, "worktree", "add", str(tmp_path / "tree"), "-b", "other")
    assert current_branch(repository) == "feature/one"
    assert current_branch(tmp_path / "tree") == "other"
    git(repository, "checkout", "--detach")
    assert current_branch(repository) is None
    assert current_branch(tmp_path) is None
