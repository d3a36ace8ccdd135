"""The archives of registries: their text files, read without unpacking them, or all unpacked."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

LARGEST: Final = 1_000_000
"""Bytes of a file; larger ones are data or generated."""


def text_files(
    archive: Path, extensions: frozenset[str], largest: int = LARGEST
) -> Iterator[tuple[str, str]]:
    """Yield (path inside, text) of *archive*'s files with one of *extensions*, in a fixed order."""
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as opened:
            members = {x.filename: x for x in opened.infolist() if x.file_size <= largest}
            for name in sorted(members):
                if _extension(name) in extensions:
                    with opened.open(members[name]) as stream:
                        yield name, _text(stream)
        return
    if archive.suffix == ".deb":
        command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
        with (
            subprocess.Popen(  # noqa: S603 - Debian's own reader of its archives
                command, stdout=subprocess.PIPE
            ) as process,
            tarfile.open(fileobj=process.stdout, mode="r|") as packed,
        ):
            yield from _members(packed, extensions, largest)
        return
    with tarfile.open(archive) as packed:
        yield from _members(packed, extensions, largest)


def _members(
    packed: tarfile.TarFile, extensions: frozenset[str], largest: int
) -> Iterator[tuple[str, str]]:
    # In the order of the archive, which is fixed: sorting would read a compressed one over again.
    for member in packed:
        if member.isfile() and member.size <= largest and _extension(member.name) in extensions:
            stream = packed.extractfile(member)
            if stream is not None:
                yield member.name, _text(stream)


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of *archive* below *folder*, which exists."""
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)  # noqa: S202 - zipfile keeps paths inside
    elif archive.suffix == ".deb":
        command = ["dpkg-deb", "-x", str(archive), str(folder)]
        subprocess.run(command, check=True)  # noqa: S603 - Debian's own reader of its archives
    else:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")


def is_archive(path: Path) -> bool:
    """Return whether *path* is a source archive (not Debian's own changes to one)."""
    name = path.name
    return name.endswith((".whl", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip", ".deb")) and (
        ".debian.tar" not in name
    )


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _text(stream: IO[bytes]) -> str:
    return stream.read().decode("utf-8", "replace")
