"""One SQLite file of ours: how it is opened, written to, waited for, and what its errors mean.

`SQLiteFile` is one connection, for one thread at a time, and blocks. How SQLite is used here, and
why:

* write-ahead logging, so that readers and one writer of any number of processes work at once, with
  `synchronous=FULL`: a commit is on the disk before it is acknowledged;
* a transaction that writes is begun as one (`BEGIN IMMEDIATE`) and waits for its turn, because one
  that only becomes a writer later cannot wait and fails.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw  # type: ignore[import-not-found, unused-ignore]  # an extra, not always installed

from victor_memory.errors import CorruptStoreError, ProviderUnavailableError, StoreMismatchError

T = TypeVar("T")
APPLICATION: Final = 0x764D656D
"""SQLite's application id of our files, by which they are told from other people's."""
PER_STATEMENT: Final = 1000
RETRY_SECONDS: Final = 0.005


class SQLiteFile:
    """One connection to the file *path*; *patience* is how many seconds to wait for others.

    With a *schema*, the statements of its *version*, the file is created where there is none.
    *extension* is a library to load into SQLite.
    """

    def __init__(
        self,
        path: Path,
        *,
        patience: float,
        schema: Sequence[str] = (),
        version: int = 1,
        extension: str | None = None,
    ) -> None:
        self.path = path.absolute()
        self._patience = patience
        self._connection = _connected(self.path, create=bool(schema))
        try:
            self._connection.set_busy_timeout(int(patience * 1000))
            if extension:
                self._connection.enable_load_extension(True)  # noqa: FBT003 - apsw has no names
                self._connection.load_extension(extension)
                self._connection.enable_load_extension(False)  # noqa: FBT003 - apsw has no names
            if schema:
                self.retried(lambda: self._prepare(schema, version))
            for pragma in ("synchronous = FULL", "temp_store = MEMORY", "cache_size = -8000"):
                self._connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            self.close()
            raise

    def _prepare(self, schema: Sequence[str], version: int) -> None:
        if not self._is_ours(version):
            # Both must be set before there is anything in the file, and neither in a transaction.
            self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._connection.execute("PRAGMA journal_mode = WAL")
            with self.writing():
                # Another process may have come first.
                if not self._is_ours(version):
                    for statement in schema:
                        self._connection.execute(statement)
                    self._connection.execute(f"PRAGMA application_id = {APPLICATION}")
                    self._connection.execute(f"PRAGMA user_version = {version}")

    def _is_ours(self, version: int) -> bool:
        """Whether the file has our schema; not so if it is empty.

        Raises:
            StoreMismatchError: it has another schema.

        """
        if self._one("PRAGMA application_id") != APPLICATION:
            if self._one("SELECT count(*) FROM sqlite_schema"):
                msg = (
                    f"The SQLite file {self.path} has tables that this package did not write. "
                    "Choose another VICTOR_EMBEDDINGS_DIR."
                )
                raise StoreMismatchError(msg)
            return False
        found = self._one("PRAGMA user_version")
        if found != version:
            msg = (
                f"The SQLite file {self.path} has the schema {found}, and this version knows "
                f"{version}. Upgrade with: pip install --upgrade victor-memory"
            )
            raise StoreMismatchError(msg)
        return True

    def close(self) -> None:
        """Close the connection; what is under way on it ends with an error."""
        self._connection.close(True)  # noqa: FBT003 - apsw has no names

    # -- transactions -----------------------------------------------------------------------------

    def retried(self, job: Callable[[], T]) -> T:
        """Return what *job* returns, trying again while others hold what it needs.

        SQLite waits by itself for most locks; this is for those where it gives up at once.
        """
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return job()
            except apsw.BusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_SECONDS)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Commit what is done inside as one, or nothing of it."""
        self.retried(lambda: self._connection.execute("BEGIN IMMEDIATE"))
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # Some errors, such as a full disk, have rolled back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let everything read inside be of one state of the file."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")

    def data_version(self) -> str:
        """Return what changes with every commit of another connection, here or elsewhere."""
        return str(self._one("PRAGMA data_version"))

    # -- housekeeping -----------------------------------------------------------------------------

    def give_back(self) -> None:
        """Give free space back to the disk where there is much, and empty the write-ahead log."""
        free, pages = self._one("PRAGMA freelist_count"), self._one("PRAGMA page_count")
        # A few free pages are soon used again; giving them back would only move pages about.
        if free * 4 > pages:
            self._all("PRAGMA incremental_vacuum")
        # Where readers are in the way it does less, which is no error.
        self._all("PRAGMA wal_checkpoint(TRUNCATE)")

    def rewrite(self) -> None:
        """Write everything anew, without what was deleted, and empty the write-ahead log.

        Raises:
            apsw.BusyError: others were reading an earlier state of the file for too long.

        """
        self.retried(lambda: self._connection.execute("VACUUM"))
        busy, _, _ = self._all("PRAGMA wal_checkpoint(TRUNCATE)")[0]
        if busy:
            msg = "an earlier state of the file is being read"
            raise apsw.BusyError(msg)

    # -- statements -------------------------------------------------------------------------------

    def _all(self, sql: str, bindings: Sequence[Any] = ()) -> list[Any]:
        return list(self._connection.execute(sql, bindings))

    def _one(self, sql: str, bindings: Sequence[Any] = ()) -> Any:
        return self._all(sql, bindings)[0][0]

    def _many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self._connection.executemany(sql, rows)

    def _chunked(self, sql: str, values: Sequence[Any]) -> list[Any]:
        """Return the rows of *sql* for all *values*, which take the place of its braces."""
        found: list[Any] = []
        for start in range(0, len(values), PER_STATEMENT):
            some = values[start : start + PER_STATEMENT]
            found += self._all(sql.format(", ".join("?" * len(some))), some)
        return found


def _connected(path: Path, *, create: bool) -> apsw.Connection:
    if not path.exists() or os.access(path.parent, os.W_OK):
        flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
        return apsw.Connection(str(path), flags=flags)
    # Where nothing can be written, a file with a write-ahead log can be read if the log is there
    # with all that belongs to it, or if it is not there and nothing else can change the file.
    change = "" if path.with_name(f"{path.name}-wal").exists() else "?immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(f"{path.as_uri()}{change}", flags=flags)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise SQLite's errors on the file *path* as what they mean to a caller.

    Raises:
        CorruptStoreError: the file is damaged, or is no SQLite file.
        ProviderUnavailableError: others kept writing for too long.
        OSError: the disk is full, nothing can be written there, or reading or writing failed.

    """
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as exc:
        msg = (
            f"The SQLite file {path} is damaged: {exc}. Restore it from a backup; a codebase index "
            "can be built again with: victor-memory index --rebuild"
        )
        raise CorruptStoreError(msg) from exc
    except (apsw.BusyError, apsw.LockedError) as exc:
        msg = (
            f"Other programs kept the SQLite file {path} locked for too long. Try again, or end "
            "the program that has been writing to it all the time."
        )
        raise ProviderUnavailableError(msg) from exc
    except (apsw.FullError, apsw.ReadOnlyError, apsw.CantOpenError, apsw.IOError) as exc:
        raise OSError(_number(exc, path), f"SQLite: {exc}", str(path)) from exc


def _number(exc: apsw.Error, path: Path) -> int:
    """Return the operating system's number for an error of SQLite's."""
    if isinstance(exc, apsw.FullError):
        return errno.ENOSPC
    locked = isinstance(exc, apsw.ReadOnlyError) or not os.access(path.parent, os.W_OK)
    return errno.EACCES if locked else errno.EIO
