"""A small persistent store, correct, on which the durability promises are tested."""

import json
import os
import uuid
from dataclasses import asdict
from typing import ClassVar

import numpy as np
from filelock import FileLock

from victor_memory.providers.memory import MemoryProvider
from victor_memory.types import Record, Traits


class JournalProvider(MemoryProvider):
    """Appends each write to a file, one line each, and replays the lines of all processes."""

    name: ClassVar[str] = "journal"
    title: ClassVar[str] = "Journal"
    traits: ClassVar[Traits] = Traits(
        persistent=True, multi_process=True, full_text=True, exact=True, transactional=True
    )

    async def _open(self):
        await super()._open()
        self.path = self.place() / "journal.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        self.lock = FileLock(f"{self.path}.lock")
        self.position, self.birth = 0, b""
        await self.catch_up()

    def place(self):
        return self.directory

    async def catch_up(self):
        """Replay the lines that were written since, by any process."""
        with self.path.open("rb") as file:
            first = file.readline()
            if b'"birth"' in first and first != self.birth:
                # Another process purged it: all that is left is in this file.
                await super()._clear()
                self.position, self.birth = len(first), first
            file.seek(self.position)
            for line in file:
                # A line without its end was torn by a crash, or is being written.
                if not line.endswith(b"\n"):
                    break
                self.position += len(line)
                await self.replay(json.loads(line))

    async def replay(self, entry):
        if "clear" in entry:
            await super()._clear()
        if "delete" in entry:
            await super()._delete(entry["delete"])
        if "upsert" in entry:
            await super()._upsert([_unpack(one) for one in entry["upsert"]])

    async def write(self, entry):
        with self.lock:
            await self.catch_up()
            self.append(json.dumps(entry).encode() + b"\n")
            await self.catch_up()

    def append(self, line):
        with self.path.open("rb+") as file:
            file.truncate(self.position)
            file.seek(self.position)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    async def _upsert(self, records):
        await self.write({"upsert": [_pack(one) for one in records]})

    async def _delete(self, ids):
        with self.lock:
            await self.catch_up()
            existing = [one for one in ids if one in self._records]
            await self.write({"delete": existing})
        return len(existing)

    async def _clear(self):
        await self.write({"clear": True})

    async def _generation(self):
        with self.path.open("rb") as file:
            return f"{file.readline() if self.birth else 0}{self.path.stat().st_size}"

    async def _purge(self):
        with self.lock:
            await self.catch_up()
            rest = {"upsert": [_pack(one) for one in self._records.values()]}
            lines = [{"birth": uuid.uuid4().hex}, rest]
            fresh = self.path.with_name("fresh.jsonl")
            fresh.write_text("".join(f"{json.dumps(one)}\n" for one in lines), encoding="utf-8")
            fresh.replace(self.path)
            await self.catch_up()

    async def _close(self):
        await super()._clear()

    async def _search(self, vector, limit, where):
        await self.catch_up()
        return await super()._search(vector, limit, where)

    async def _search_terms(self, terms, limit, where):
        await self.catch_up()
        return await super()._search_terms(terms, limit, where)

    async def _get(self, ids, *, with_vectors):
        await self.catch_up()
        return await super()._get(ids, with_vectors=with_vectors)

    async def _delete_where(self, where):
        await self.catch_up()
        return await super()._delete_where(where)

    async def _count(self, where):
        await self.catch_up()
        return await super()._count(where)

    async def _scan(self, where, *, with_vectors, batch_size):
        await self.catch_up()
        async for batch in super()._scan(where, with_vectors=with_vectors, batch_size=batch_size):
            yield batch


def _pack(record):
    return {**asdict(record), "vector": record.vector.tolist()}


def _unpack(packed):
    return Record(**{**packed, "vector": np.asarray(packed["vector"], dtype=np.float32)})
