"""Why a file is left out: rules about names and contents, and ignore files in git's syntax."""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import translate
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

EXAMPLES: Final = 20
"""Paths remembered for each reason; the counts are always complete."""


class Reason(StrEnum):
    """Why a file (or, where it ends in a slash, a whole directory) is left out."""

    BINARY = "binary"
    EMPTY = "empty"
    GENERATED = "generated"
    IGNORED = "victorignore"
    NAME = "name is not UTF-8"
    NESTED = "nested repository"
    OVERSIZED = "too large"
    SECRET = "may hold secrets"  # noqa: S105 - a reason, not a password
    SPECIAL = "not a regular file"
    SYMLINK = "symbolic link"
    UNREADABLE = "unreadable"
    VENDORED = "vendored"


@dataclass(slots=True)
class Omissions:
    """What was left out: how many for each reason, and the first few paths of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, path: str, reason: Reason) -> None:
        """Count *path* as left out for *reason*."""
        self.counts[reason] += 1
        if len(self.examples[reason]) < EXAMPLES:
            self.examples[reason].append(path)


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def _globs(listed: str) -> re.Pattern[str]:
    return re.compile("|".join(translate(one.lower()) for one in listed.split()))


# -- names ----------------------------------------------------------------------------------------

CONTROL_DIRECTORIES: Final = _names(".bzr .git .hg .jj .svn")
_VENDORED: Final = _names("""
    .bundle .cache .dart_tool .eggs .gradle .hypothesis .ipynb_checkpoints .mypy_cache .next .nox
    .nuxt .parcel-cache .pnpm-store .pytest_cache .ruff_cache .svelte-kit .terraform .tox .venv
    .yarn 3rdparty Carthage DerivedData Pods __pycache__ bower_components elm-stuff htmlcov
    jspm_packages node_modules site-packages third-party third_party thirdparty vendor vendored
    venv virtualenv
""")
_OUTPUT: Final = _names("_build build coverage dist obj out target")
_MANIFESTS: Final = _names("""
    CMakeLists.txt build.gradle build.gradle.kts build.zig Cargo.toml composer.json dune-project
    go.mod Makefile meson.build mix.exs package.json pom.xml pubspec.yaml pyproject.toml setup.py
""")
_SECRET_DIRECTORIES: Final = _names(".aws .gnupg .ssh")
_SECRET: Final = _globs("""
    .env .env.* *.env .envrc .git-credentials .htpasswd .netrc _netrc .npmrc .pgpass .pypirc
    *.jks *.kdbx *.key *.keystore *.p12 *.p8 *.pem *.pfx *.ppk *.tfstate *.tfstate.* *.tfvars
    credentials credentials.json id_dsa* id_ecdsa* id_ed25519* id_rsa*
    secrets.json secrets.toml secrets.yaml secrets.yml service-account*.json
""")
_PUBLIC: Final = _globs("*.example *.sample *.template *.dist *.pub")
_GENERATED: Final = _globs("""
    *-lock.json *-lock.yaml *.lock *.lockb *.lockfile Package.resolved go.sum *.freeze
    npm-shrinkwrap.json packages.lock.json *.map *.min.css *.min.js *.min.mjs *.bundle.js *.snap
    *_pb2.py *_pb2.pyi *_pb2_grpc.py *.pb.go *.pb.cc *.pb.h *.g.dart *.freezed.dart
    *.designer.cs *.g.cs *.generated.*
""")
_BINARY: Final = _globs("""
    *.7z *.a *.avi *.bin *.bmp *.bz2 *.class *.dll *.dmg *.doc *.docx *.dylib *.eot *.exe *.gif
    *.gz *.ico *.icns *.jar *.jpeg *.jpg *.lib *.mov *.mp3 *.mp4 *.npy *.npz *.o *.ogg *.onnx *.otf
    *.parquet *.pdf *.pkl *.png *.ppt *.pptx *.psd *.pyc *.pyd *.pyo *.rar *.safetensors *.so
    *.sqlite *.tar *.tgz *.tif *.tiff *.ttf *.war *.wasm *.wav *.webm *.webp *.woff *.woff2 *.xls
    *.xlsx *.xz *.zip *.zst
""")
_PROSE: Final = _names("adoc htm html ipynb markdown md mdx org rst tex txt")


@lru_cache(maxsize=65_536)
def refused_name(path: str) -> Reason | None:
    """Return why the file *path* is left out for its name alone, or `None`."""
    *directories, name = path.split("/")
    lower = name.lower()
    if not _SECRET_DIRECTORIES.isdisjoint(directories):
        return Reason.SECRET
    if _SECRET.match(lower) and not _PUBLIC.match(lower):
        return Reason.SECRET
    if _BINARY.match(lower):
        return Reason.BINARY
    return Reason.GENERATED if _GENERATED.match(lower) else None


def is_vendored(directory: Path, *, tracked: bool, top: bool) -> bool:
    """Whether *directory* holds other people's code, or what a build put out.

    The names of build output are ordinary words, so they count only where such output is put: at
    the *top*, or beside a project's manifest. Except for `dist`, whatever git tracks is source.
    """
    if directory.name in _VENDORED or os.path.isfile(directory / "pyvenv.cfg"):  # noqa: PTH113 - any error is a no
        return True
    if directory.name not in _OUTPUT or (tracked and directory.name != "dist"):
        return False
    return top or any((directory.parent / one).is_file() for one in _MANIFESTS)


# -- contents -------------------------------------------------------------------------------------

BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARKER: Final = re.compile(
    rb"(?im)^\W{0,12}(?:code )?(?:auto-?generated|generated by)\b.*do not (?:edit|modify)"
    rb"|^\W{0,12}@generated\b|<auto-generated"
)
_MARK: Final = b"generated"
_MARKED: Final = 2048
"""Bytes at the beginning of a file in which a generator leaves its mark."""
_LONG_LINE: Final = 500
_READABLE_SHARE: Final = 0.2


def refused_content(path: str, data: bytes) -> Reason | None:
    """Return why the file *path* with the bytes *data* is left out, or `None`."""
    if not data.strip():
        return Reason.EMPTY
    if any(data.startswith(mark) for mark, _ in BYTE_ORDER_MARKS[1:]):
        return None
    if b"\0" in data[:8192] or data.startswith(b"version https://git-lfs.github.com/"):
        return Reason.BINARY
    head = data[:_MARKED]
    if _MARK in head.lower() and _MARKER.search(head):
        return Reason.GENERATED
    if len(data) > _LONG_LINE and path.rpartition(".")[2].lower() not in _PROSE:
        # Nobody writes such lines: a file that is mostly made of them came out of a program.
        lengths = list(map(len, data.splitlines()))
        if max(lengths) > _LONG_LINE:
            lengths = [length for length in lengths if length <= _LONG_LINE]
        readable = sum(lengths)
        if readable < len(data) * _READABLE_SHARE:
            return Reason.GENERATED
    return None


# -- ignore files ---------------------------------------------------------------------------------


class IgnoreFiles:
    """The ignore files called *name* in and below *root*: the deepest one that has a say wins.

    With *top*, a directory above *root*, the files from there on have a say too, unless they would
    leave out *root* itself.
    """

    def __init__(self, root: Path, name: str, top: Path | None = None) -> None:
        self._root = root
        self._name = name
        self._outer: list[tuple[str, GitIgnoreSpec]] = []
        for parent in reversed(root.parents):
            if top is not None and parent.is_relative_to(top):
                prefix = root.relative_to(parent).as_posix() + "/"
                self._outer += [(prefix, one) for one in self._read(parent)]
        if any(spec.check_file(prefix).include for prefix, spec in self._outer):
            self._outer = []
        self._specs: dict[str, list[tuple[str, GitIgnoreSpec]]] = {}
        self._verdicts: dict[str, bool] = {"": False}

    def ignores(self, path: str) -> bool:
        """Whether *path* is ignored, or is in a directory that is; directories end in a slash."""
        parent = path.rstrip("/").rpartition("/")[0]
        return self._ignores_directory(parent) or self._verdict(path, parent)

    def _ignores_directory(self, path: str) -> bool:
        if path not in self._verdicts:
            self._verdicts[path] = self.ignores(path + "/")
        return self._verdicts[path]

    def _verdict(self, path: str, parent: str) -> bool:
        for start, spec in reversed(self._in_force(parent)):
            verdict = spec.check_file(path.removeprefix(start)).include
            if verdict is not None:
                return verdict
        for prefix, spec in reversed(self._outer):
            verdict = spec.check_file(prefix + path).include
            if verdict is not None:
                return verdict
        return False

    def _in_force(self, directory: str) -> list[tuple[str, GitIgnoreSpec]]:
        """Return the ignore files that speak about the entries of *directory*, the deepest last."""
        if directory not in self._specs:
            above = self._in_force(directory.rpartition("/")[0]) if directory else []
            start = directory + "/" if directory else ""
            own = [(start, one) for one in self._read(self._root / directory)]
            self._specs[directory] = above + own if own else above
        return self._specs[directory]

    def _read(self, directory: Path) -> list[GitIgnoreSpec]:
        file = directory / self._name
        try:
            if not stat.S_ISREG(file.lstat().st_mode):
                return []
            lines = file.read_text("utf-8", "replace").removeprefix("\ufeff").splitlines()
        except OSError:
            return []  # there is none, or it is not ours to read
        from pathspec import GitIgnoreSpec

        try:
            return [GitIgnoreSpec.from_lines(lines)]
        except ValueError:
            # One bad line must not switch the others off; git passes over it in silence too.
            return [GitIgnoreSpec.from_lines(line for line in lines if _is_pattern(line))]


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
