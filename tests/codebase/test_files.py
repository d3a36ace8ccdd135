import os
import shutil
import socket
import subprocess

import pytest

from victor_memory.codebase.exclusions import EXAMPLES, Omissions, Reason, refused_content
from victor_memory.codebase.files import SourceTree, decode
from victor_memory.errors import InvalidRequestError


def listed(root, **options):
    listing = SourceTree(root, **options).listing()
    return sorted(listing), listing


def left_out(listing):
    return {reason: sorted(paths) for reason, paths in listing.omissions.examples.items()}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


class TestRoot:
    def test_a_missing_root_is_refused(self, tmp_path):
        with pytest.raises(InvalidRequestError, match=r"does not exist\. Check the path"):
            SourceTree(tmp_path / "nowhere")

    def test_a_file_is_refused_as_a_root(self, tmp_path):
        (tmp_path / "file.py").write_text("x = 1\n")
        with pytest.raises(InvalidRequestError, match="is a file. Give the directory"):
            SourceTree(tmp_path / "file.py")

    def test_an_empty_root_is_refused(self):
        with pytest.raises(InvalidRequestError, match="Give a directory"):
            SourceTree("")

    def test_a_root_that_is_a_link_to_itself_is_refused(self, tmp_path):
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        with pytest.raises(InvalidRequestError, match="Check the path"):
            SourceTree(tmp_path / "loop")

    def test_a_root_with_a_nul_is_refused(self):
        with pytest.raises(InvalidRequestError, match="Check the path"):
            SourceTree("a\0b")

    def test_an_empty_directory_has_no_files(self, root):
        assert listed(root)[0] == []

    def test_a_root_that_vanished_is_an_error_and_not_an_empty_codebase(self, root):
        tree = SourceTree(root)
        root.rmdir()
        with pytest.raises(InvalidRequestError, match="does not exist"):
            tree.listing()

    def test_a_root_that_is_a_link_is_followed_once(self, tmp_path, root, write):
        write(root, **{"a.py": "x = 1\n"})
        (tmp_path / "link").symlink_to(root)
        assert listed(tmp_path / "link")[0] == ["a.py"]


class TestGit:
    def test_tracked_and_new_files_are_listed_and_ignored_ones_are_not(self, root, write, git):
        git(root, "init", "-q")
        write(root, **{".gitignore": "*.log\nsecretly/\n", "a.py": "a = 1", "b.log": "x"})
        write(root, **{"secretly/c.py": "c = 1", "src/d.py": "d = 1"})
        git(root, "add", "a.py")
        paths, listing = listed(root)
        assert paths == [".gitignore", "a.py", "src/d.py"]
        assert listing.source == "git"
        assert listing.note is None

    def test_a_tracked_file_is_listed_although_it_is_ignored(self, root, write, git):
        git(root, "init", "-q")
        write(root, **{".gitignore": "*.py\n", "a.py": "a = 1"})
        git(root, "add", "-f", "a.py")
        assert "a.py" in listed(root)[0]

    def test_a_subdirectory_is_a_root_of_its_own(self, root, write, git):
        git(root, "init", "-q")
        write(root, **{".gitignore": "*.log\n", "a.py": "a = 1", "sub/b.py": "b", "sub/c.log": "c"})
        paths, listing = listed(root / "sub")
        assert paths == ["b.py"]
        assert listing.source == "git"

    def test_a_deleted_file_that_git_still_tracks_is_not_listed(self, root, write, git):
        git(root, "init", "-q")
        write(root, **{"a.py": "a = 1", "b.py": "b = 1"})
        git(root, "add", ".")
        (root / "a.py").unlink()
        assert listed(root)[0] == ["b.py"]

    def test_an_unmerged_file_is_listed_once(self, root, write, git):
        git(root, "init", "-q", "-b", "main")
        for branch, content in (("one", "x = 1\n"), ("two", "x = 2\n")):
            git(root, "checkout", "-q", "--orphan", branch)
            write(root, **{"a.py": content})
            git(root, "add", "a.py")
            git(root, "commit", "-qm", branch)
        with pytest.raises(subprocess.CalledProcessError):
            git(root, "merge", "--allow-unrelated-histories", "one")
        assert listed(root)[0] == ["a.py"]

    def test_names_with_quotes_newlines_and_accents(self, root, write, git):
        names = ['it\'s "quoted".py', "two\nlines.py", "ünïcode 文.py", " space .py", "tab\t.py"]
        write(root, **dict.fromkeys(names, "x = 1\n"))
        expected = sorted(names)
        assert listed(root)[0] == expected
        git(root, "init", "-q")
        git(root, "add", ".")
        assert listed(root)[0] == expected

    def test_a_submodule_is_listed_and_a_clone_that_lies_around_is_not(
        self, root, tmp_path, write, git
    ):
        library = tmp_path / "library"
        write(library, **{"lib.py": "lib = 1\n", ".gitignore": "*.log\n"})
        git(library, "init", "-q")
        git(library, "add", ".")
        git(library, "commit", "-qm", "library")
        git(root, "init", "-q")
        git(root, "submodule", "add", "-q", str(library), "modules/library")
        git(tmp_path, "clone", "-q", str(library), str(root / "clone"))
        write(root, **{"modules/library/x.log": "x", "a.py": "a = 1"})
        paths, listing = listed(root)
        assert "modules/library/lib.py" in paths
        assert "modules/library/x.log" not in paths
        assert not [one for one in paths if one.startswith("clone")]
        assert left_out(listing)[Reason.NESTED] == ["clone/"]

    def test_a_submodule_that_is_not_checked_out_has_no_files(self, root, tmp_path, write, git):
        library = tmp_path / "library"
        write(library, **{"lib.py": "lib = 1\n"})
        git(library, "init", "-q")
        git(library, "add", ".")
        git(library, "commit", "-qm", "library")
        git(root, "init", "-q")
        git(root, "submodule", "add", "-q", str(library), "modules/library")
        git(root, "commit", "-qm", "with a submodule")
        git(tmp_path, "clone", "-q", str(root), "copy")
        assert (tmp_path / "copy/modules/library").is_dir()
        assert listed(tmp_path / "copy")[0] == [".gitmodules"]

    def test_without_git_the_directory_is_walked_and_says_so(
        self, root, write, git, monkeypatch, tmp_path
    ):
        git(root, "init", "-q")
        write(root, **{".gitignore": "*.log\n", "a.py": "a = 1", "b.log": "b"})
        monkeypatch.setenv("PATH", str(tmp_path))
        paths, listing = listed(root)
        assert paths == [".gitignore", "a.py"]
        assert listing.source == "walk"
        assert "git is not installed" in listing.note

    def test_without_git_the_ignore_files_above_the_root_still_count(
        self, root, write, git, monkeypatch, tmp_path
    ):
        git(root, "init", "-q")
        write(root, **{".gitignore": "*.log\n/sub/out.py\n", "sub/a.py": "a", "sub/b.log": "b"})
        write(root, **{"sub/out.py": "o", "sub/deep/out.py": "o"})
        monkeypatch.setenv("PATH", str(tmp_path))
        assert listed(root / "sub")[0] == ["a.py", "deep/out.py"]

    def test_a_broken_repository_is_walked_and_says_so(self, root, write, git):
        git(root, "init", "-q")
        write(root, **{"a.py": "a = 1"})
        shutil.rmtree(root / ".git" / "objects")
        paths, listing = listed(root)
        assert paths == ["a.py"]
        assert listing.source == "walk"
        assert "not a git repository" in listing.note

    def test_a_repository_git_distrusts_is_walked_and_says_so(self, root, write, git, monkeypatch):
        git(root, "init", "-q")
        write(root, **{"a.py": "a = 1"})
        shim = root.parent / "bin"
        shim.mkdir()
        (shim / "git").write_text(
            "#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec " + shutil.which("git") + ' "$@"\n'
        )
        (shim / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{shim}{os.pathsep}{os.environ['PATH']}")
        paths, listing = listed(root)
        assert paths == ["a.py"]
        assert "dubious ownership" in listing.note

    def test_a_directory_that_an_outer_repository_ignores_is_walked(self, root, write, git):
        git(root, "init", "-q")
        write(root, **{".gitignore": "*\n", "project/a.py": "a = 1", "project/b/c.py": "c = 1"})
        paths, listing = listed(root / "project")
        assert paths == ["a.py", "b/c.py"]
        assert "ignores this directory" in listing.note

    def test_ignore_files_above_that_leave_out_the_root_have_no_say(
        self, root, write, git, monkeypatch, tmp_path
    ):
        git(root, "init", "-q")
        write(root, **{".gitignore": "*\n", "project/a.py": "a = 1"})
        monkeypatch.setenv("PATH", str(tmp_path))
        assert listed(root / "project")[0] == ["a.py"]

    def test_variables_of_a_running_hook_do_not_mislead(
        self, root, write, git, monkeypatch, tmp_path
    ):
        git(root, "init", "-q")
        write(root, **{"a.py": "a = 1"})
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
        paths, listing = listed(root)
        assert (paths, listing.source) == (["a.py"], "git")

    def test_listing_writes_nothing(self, root, write, git):
        git(root, "init", "-q")
        write(root, **{"a.py": "a = 1"})
        git(root, "add", ".")
        os.utime(root / "a.py", (1, 1))
        before = (root / ".git" / "index").read_bytes()
        listed(root)
        assert (root / ".git" / "index").read_bytes() == before

    def test_the_repositorys_fsmonitor_is_not_run(self, root, write, git, tmp_path):
        git(root, "init", "-q")
        write(root, **{"a.py": "a = 1"})
        git(root, "config", "core.fsmonitor", f"touch {tmp_path}/ran; false")
        assert listed(root)[0] == ["a.py"]
        assert not (tmp_path / "ran").exists()


class TestWalk:
    def test_nested_ignore_files_and_their_exceptions(self, root, write):
        write(root, **{".gitignore": "*.log\n/top.py\n", "top.py": "t", "deep/top.py": "t"})
        write(root, **{"a/.gitignore": "!keep.log\nb/\n", "a/keep.log": "k", "a/x.log": "x"})
        write(root, **{"a/b/c.py": "c", "keep.log": "k"})
        paths = listed(root)[0]
        assert paths == [".gitignore", "a/.gitignore", "a/keep.log", "deep/top.py"]

    def test_a_file_in_an_ignored_directory_cannot_be_called_back(self, root, write):
        write(root, **{".gitignore": "a/\n!a/b.py\n", "a/b.py": "b", "c.py": "c"})
        assert listed(root)[0] == [".gitignore", "c.py"]

    def test_a_pattern_that_is_no_pattern_does_not_disable_the_others(self, root, write):
        write(root, **{".gitignore": "!\n*.log\n", "a.log": "a", "b.py": "b"})
        assert listed(root)[0] == [".gitignore", "b.py"]

    def test_the_walk_and_git_agree(self, root, write, git, monkeypatch, tmp_path):
        write(root, **{".gitignore": "*.tmp\n!keep.tmp\n/only/\n**/gen/*.py\n", "a.tmp": "a"})
        write(root, **{"keep.tmp": "k", "only/x.py": "x", "b/only/x.py": "x", "b/gen/y.py": "y"})
        write(root, **{"b/gen/y.js": "y", "b/.gitignore": "y.js\n!z.tmp", "b/z.tmp": "z"})
        git(root, "init", "-q")
        by_git, listing = listed(root)
        assert listing.source == "git"
        monkeypatch.setenv("PATH", str(tmp_path))
        by_walk, listing = listed(root)
        assert listing.source == "walk"
        assert by_walk == by_git

    def test_a_loop_of_links_ends(self, root, write):
        write(root, **{"a/b.py": "b = 1"})
        (root / "a" / "up").symlink_to(root)
        (root / "self").symlink_to(root / "self")
        paths, listing = listed(root)
        assert paths == ["a/b.py"]
        assert left_out(listing) == {Reason.SYMLINK: ["a/up", "self"]}

    def test_a_tree_deeper_than_any_path_may_be(self, root, write):
        write(root, **{"a.py": "a = 1"})
        name = "d" * 200
        here = os.open(root, os.O_RDONLY)
        for _ in range(25):
            os.mkdir(name, dir_fd=here)
            below = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(here)
        paths, listing = listed(root)
        assert paths == ["a.py"]
        assert listing.omissions.counts == {Reason.UNREADABLE: 1}


@pytest.mark.parametrize("in_git", [True, False], ids=["git", "walk"])
class TestLeftOut:
    @pytest.fixture
    def root(self, root, in_git, git):
        if in_git:
            git(root, "init", "-q")
        return root

    def test_victorignore_applies_everywhere(self, root, write):
        write(root, **{".victorignore": "*.gen.py\n/data/\n", "a.gen.py": "a", "data/b.py": "b"})
        write(root, **{"c/.victorignore": "d.py\n", "c/d.py": "d", "c/e.py": "e", "d.py": "d"})
        paths, listing = listed(root)
        assert paths == [".victorignore", "c/.victorignore", "c/e.py", "d.py"]
        assert listing.omissions.counts[Reason.IGNORED] == 3

    def test_secret_files(self, root, write):
        secret = [".env", ".env.local", "prod.env", "id_rsa", "keys/server.pem", ".npmrc", "x.p12"]
        secret += [".aws/config", ".ssh/known_hosts", "terraform.tfvars", "credentials.json"]
        public = [".env.example", "id_rsa.pub", "environment.py", "keys/readme.md"]
        write(root, **dict.fromkeys([*secret, *public], "token = 1\n"))
        paths, listing = listed(root)
        assert paths == sorted(public)
        assert left_out(listing) == {Reason.SECRET: sorted(secret)}

    def test_vendored_directories_are_named_once(self, root, write):
        vendored = ["node_modules", "web/node_modules", "third_party", "vendor", ".venv"]
        for name in vendored:
            write(root, **{f"{name}/{one}/m.js": "m" for one in ("a", "b", "c")})
        write(root, **{"web/app.js": "app"})
        paths, listing = listed(root)
        assert paths == ["web/app.js"]
        assert left_out(listing) == {Reason.VENDORED: sorted(one + "/" for one in vendored)}

    def test_build_output_is_left_out_and_a_package_called_build_is_not(self, root, write):
        write(root, **{"build/a.py": "a", "dist/b.js": "b", "web/package.json": "{}"})
        write(root, **{"web/dist/c.js": "c", "java/com/tool/build/D.java": "class D {}"})
        paths, listing = listed(root)
        assert paths == ["java/com/tool/build/D.java", "web/package.json"]
        assert left_out(listing) == {Reason.VENDORED: ["build/", "dist/", "web/dist/"]}

    def test_lock_files_minified_files_and_other_output_of_programs(self, root, write):
        generated = ["package-lock.json", "Cargo.lock", "go.sum", "app.min.js", "api_pb2.py"]
        write(root, **dict.fromkeys(generated, "x\n"), **{"lock.py": "lock = 1\n"})
        paths, listing = listed(root)
        assert paths == ["lock.py"]
        assert left_out(listing) == {Reason.GENERATED: sorted(generated)}

    def test_oversized_files_by_setting(self, root, write):
        write(root, **{"small.py": "x" * 100, "large.py": "x" * 101})
        paths, listing = listed(root, max_file_bytes=100)
        assert paths == ["small.py"]
        assert left_out(listing) == {Reason.OVERSIZED: ["large.py"]}

    def test_a_name_that_is_not_utf8_is_reported_and_nothing_else_suffers(self, root, write):
        (root / os.fsdecode(b"caf\xe9.py")).write_text("x = 1\n")
        write(root, **{"ok.py": "x = 1\n"})
        paths, listing = listed(root)
        assert paths == ["ok.py"]
        assert left_out(listing) == {Reason.NAME: ["caf\\xe9.py"]}

    def test_links_are_never_followed(self, root, write, tmp_path):
        outside = tmp_path / "outside"
        write(outside, **{"secret.py": "token = 1\n"})
        (root / "file.py").symlink_to(outside / "secret.py")
        (root / "directory").symlink_to(outside)
        (root / "dangling.py").symlink_to(outside / "nothing")
        paths, listing = listed(root)
        assert paths == []
        expected = ["dangling.py", "directory", "file.py"]
        assert left_out(listing) == {Reason.SYMLINK: expected}


class TestLeftOutOfGit:
    def test_a_tracked_directory_called_build_is_code(self, root, write, git):
        git(root, "init", "-q")
        write(root, **{"build/a.py": "a", "dist/b.js": "b", "target/c.py": "c"})
        git(root, "add", "build", "dist")
        paths, listing = listed(root)
        assert paths == ["build/a.py"]
        assert left_out(listing) == {Reason.VENDORED: ["dist/", "target/"]}

    def test_a_tracked_directory_that_became_a_link_is_not_followed(
        self, root, write, git, tmp_path
    ):
        git(root, "init", "-q")
        write(root, **{"sub/a.py": "a = 1"})
        git(root, "add", ".")
        (root / "sub").rename(tmp_path / "moved")
        (root / "sub").symlink_to(tmp_path / "moved")
        paths, listing = listed(root)
        assert paths == []
        assert "sub/a.py" in left_out(listing)[Reason.SYMLINK]


class TestRead:
    def test_what_is_no_regular_file_is_not_read(self, root):
        os.mkfifo(root / "pipe.py")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(root / "socket.py"))
            paths, listing = listed(root)
        assert paths == []
        assert left_out(listing) == {Reason.SPECIAL: ["pipe.py", "socket.py"]}
        assert SourceTree(root).read("pipe.py") is Reason.SPECIAL

    def test_a_file_that_became_a_link_since_it_was_listed(self, root, write):
        write(root, **{"a.py": "a = 1"})
        (root / "b.py").symlink_to(root / "a.py")
        assert SourceTree(root).read("b.py") is Reason.UNREADABLE

    def test_a_file_that_is_gone_or_grew_since_it_was_listed(self, root, write):
        write(root, **{"a.py": "a = 1" * 100})
        assert SourceTree(root).read("gone.py") is None
        assert SourceTree(root).read("a.py/b.py") is None
        assert SourceTree(root, max_file_bytes=10).read("a.py") is Reason.OVERSIZED


class TestContent:
    @pytest.mark.parametrize(
        ("path", "data", "reason"),
        [
            ("a.py", b"", Reason.EMPTY),
            ("a.py", b" \n\t\n", Reason.EMPTY),
            ("a.py", b"x = 1\n\0", Reason.BINARY),
            ("a.py", b"x" * 8191 + b"\0", Reason.BINARY),
            ("a.bin", b"version https://git-lfs.github.com/spec/v1\noid 1\n", Reason.BINARY),
            ("a.go", b"// Code generated by protoc-gen-go. DO NOT EDIT.\n", Reason.GENERATED),
            ("a.rs", b"/* @generated */\nfn x() {}\n", Reason.GENERATED),
            ("a.cs", b"// <auto-generated>\nclass X {}\n", Reason.GENERATED),
            ("a.js", b"!function(){" + b"var a=1;" * 200 + b"}", Reason.GENERATED),
            ("a.json", b"[" + b"1," * 1000 + b"1]\n", Reason.GENERATED),
            ("a.md", b"A long paragraph. " * 200, None),
            ("a.py", b"DATA = '" + b"A" * 900 + b"'\n" + b"x = compute(x)\n" * 40, None),
            ("a.py", b"# This module writes '@generated' and 'do not edit' marks.\n", None),
            ("a.py", b"x = 1\n" * 2000 + b"\0", None),
            ("a.py", "x = 1\n".encode("utf-16"), None),
        ],
    )
    def test_what_a_file_says_decides(self, path, data, reason):
        assert refused_content(path, data) is reason

    def test_counts_are_complete_and_examples_are_few(self):
        omissions = Omissions()
        for number in range(1000):
            omissions.add(f"{number}.png", Reason.BINARY)
        assert omissions.counts == {Reason.BINARY: 1000}
        assert len(omissions.examples[Reason.BINARY]) == EXAMPLES


class TestDecode:
    @pytest.mark.parametrize(
        ("data", "text"),
        [
            ("häß\n".encode(), "häß\n"),
            ("häß\n".encode("utf-8-sig"), "häß\n"),
            ("häß\n".encode("utf-16"), "häß\n"),
            (b"\xfe\xff" + "häß\n".encode("utf-16-be"), "häß\n"),
            ("häß\n".encode("utf-32"), "häß\n"),
            ("häß\n".encode("latin-1"), "häß\n"),
            (b"a\r\nb\rc\n", "a\nb\nc\n"),
            (b"\xff\xfea\x00b", "a\ufffd"),
            (b"", ""),
        ],
    )
    def test_every_encoding_is_read(self, data, text):
        assert decode(data) == text

    @pytest.mark.parametrize("data", [b"a\x00b", b"\xff\xfe\x00\xd8", b"\xff\xfe\x00\x00\x01"])
    def test_the_text_can_always_be_stored(self, data):
        text = decode(data)
        text.encode()
        assert "\0" not in text
