"""Settings files: read with what a text editor would keep, and replaced all at once or not."""

from __future__ import annotations

import codecs
import contextlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from victor_memory.errors import HostError

BACKUP: Final = ".victor-memory.bak"


@dataclass(frozen=True, slots=True)
class Content:
    """A file as it was read; *path* has its links followed, `raw` is `None` if there is no file."""

    path: Path
    raw: bytes | None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read *path*, or the file that it links to.

        Raises:
            HostError: it cannot be read.

        """
        real = Path(os.path.realpath(path))
        try:
            return cls(real, real.read_bytes())
        except FileNotFoundError:
            return cls(real, None)
        except OSError as exc:
            msg = f"{real} cannot be read: {exc.strerror}. Nothing was changed."
            raise HostError(msg) from exc

    @property
    def text(self) -> str:
        """What the file says, without a byte order mark; nothing if there is no file.

        Raises:
            HostError: it is no UTF-8.

        """
        try:
            return (self.raw or b"").removeprefix(codecs.BOM_UTF8).decode("utf-8")
        except UnicodeDecodeError as exc:
            msg = f"{self.path} is not written in UTF-8. Save it as UTF-8; nothing was changed."
            raise HostError(msg) from exc

    def encoded(self, text: str) -> bytes:
        """Return *text* as bytes, with a byte order mark if the file has one."""
        mark = codecs.BOM_UTF8 if (self.raw or b"").startswith(codecs.BOM_UTF8) else b""
        return mark + text.encode("utf-8")

    @property
    def backup(self) -> Path:
        """Where the content from before our entry is kept."""
        return self.path.with_name(self.path.name + BACKUP)


def replace(content: Content, new: bytes, *, like: Path | None = None) -> None:
    """Make *new* the content of the file, all at once, with the permissions that it or *like* has.

    Raises:
        HostError: it cannot be written, or is not as it was read; it is as it was.

    """
    path = content.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(new)
                file.flush()
                os.fsync(file.fileno())
            _same_mode(like or path, name)
            if Content.read(path).raw != content.raw:
                msg = f"{path} was changed by another program just now. Run the command again."
                raise HostError(msg)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as exc:
        msg = f"{path} cannot be written: {exc.strerror}. It is as it was."
        raise HostError(msg) from exc


def remove(content: Content) -> None:
    """Remove the file, and its directory if nothing else is in it.

    Raises:
        HostError: it cannot be removed.

    """
    try:
        content.path.unlink(missing_ok=True)
    except OSError as exc:
        msg = f"{content.path} cannot be removed: {exc.strerror}. Remove it by hand."
        raise HostError(msg) from exc
    with contextlib.suppress(OSError):
        content.path.parent.rmdir()


def _same_mode(path: Path, name: str) -> None:
    """Give the file *name* the permissions of *path*, or those of any new file."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    Path(name).chmod(mode)
