"""Memories held in this process, as arrays: what a ranking needs to look at all of them at once.

A row is a record: a note, a turn, or a part of a long one. Rows are added and taken out; they are
never moved, so that what stands beside a row (in its session, in the order of the turns and their
parts) is two arrays of row numbers. Words are found through postings, as in `retrieval.bm25`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from victor_memory.conversation import parts
from victor_memory.conversation.lineage import replaced
from victor_memory.conversation.records import Memory, from_record, spoken
from victor_memory.retrieval.text import index_terms

if TYPE_CHECKING:
    import numpy.typing as npt

    from victor_memory.types import Record

    Ints: TypeAlias = npt.NDArray[np.int32]
    Floats: TypeAlias = npt.NDArray[np.float32]
    Mask: TypeAlias = npt.NDArray[np.bool_]

LEAST_ROWS: Final = 256
_TYPES: Final[dict[str, type[np.generic]]] = {
    "live": np.bool_,
    "length": np.float32,
    "created": np.float64,
    "importance": np.float32,
    "whole": np.int32,
    "place": np.int32,
    "before": np.int32,
    "after": np.int32,
}
LABELS: Final = (
    "kind", "project", "session", "role", "speaker", "agent", "branch", "worktree", "scope",
)  # fmt: skip
"""Fields whose values rows can be chosen by."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How many documents there are and have each term, where rows are only some of them."""

    documents: int
    having: Mapping[str, int]


class Rows:
    """Records as arrays. For one thread at a time."""

    def __init__(self, extent: Extent | None = None) -> None:
        """Hold no rows; with *extent*, those to come are some of a larger collection."""
        self.memories: list[Memory | None] = []
        """The memory of each row; `None` where it was taken out."""
        self.version = 0
        """Changes whenever the rows do."""
        self.extent = extent
        self._columns = {name: np.zeros(LEAST_ROWS, kind) for name, kind in _TYPES.items()}
        self._columns |= {name: np.zeros(LEAST_ROWS, np.int32) for name in LABELS}
        self._vectors = np.zeros((LEAST_ROWS, 0), np.float32)
        self._codes: dict[str, dict[object, int]] = {name: {None: 0} for name in LABELS}
        self._row_of: dict[str, int] = {}
        self._wholes: defaultdict[str, list[int]] = defaultdict(list)
        self._places: dict[tuple[str, str], int] = {}
        self._order: list[list[tuple[int, int, int]]] = []
        """Of each place, the index and part of its rows and their numbers, sorted."""
        self._postings: defaultdict[str, tuple[array[int], array[int]]] = defaultdict(
            lambda: (array("i"), array("i"))
        )
        self._naming: set[int] = set()
        self._live = 0
        self._total = 0.0
        self._place_lengths: tuple[int, Floats] = -1, np.zeros(0, np.float32)

    def __len__(self) -> int:
        return self._live

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._row_of

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column, a value for each row."""
        return self._columns[name][: len(self.memories)]

    @property
    def vectors(self) -> Floats:
        """Unit vectors, shape `(rows, dimension)`; zeros where a record has none."""
        return self._vectors[: len(self.memories)]

    @property
    def documents(self) -> int:
        """How many records the collection has."""
        return self.extent.documents if self.extent else self._live

    @property
    def mean_length(self) -> float:
        """Terms of a row, on average."""
        return self._total / self._live if self._live else 1.0

    @property
    def places(self) -> int:
        """How many sessions have turns."""
        return len(self._order)

    # -- changing ---------------------------------------------------------------------------------

    def add(self, records: Iterable[Record]) -> int:
        """Add *records* that are not here yet, with their vectors; return how many were not."""
        fresh = [one for one in records if one.id not in self._row_of]
        if not fresh:
            return 0
        self.version += 1
        first = len(self.memories)
        width = max((len(one.vector) for one in fresh if one.vector is not None), default=0)
        self._reserve(first + len(fresh), width)
        for row, record in enumerate(fresh, first):
            self._add(row, record)
        return len(fresh)

    def _add(self, row: int, record: Record) -> None:
        memory = from_record(record)
        self.memories.append(memory)
        self._row_of[memory.id] = row
        words = index_terms(spoken(memory)) if record.terms is None else record.terms
        counts = Counter(words.split())
        for term, count in counts.items():
            rows, hits = self._postings[term]
            rows.append(row)
            hits.append(count)
        length = counts.total()
        kept = self._columns
        kept["live"][row] = True
        kept["length"][row] = length
        kept["created"][row] = memory.created_at.timestamp()
        kept["importance"][row] = memory.importance
        for name in LABELS:
            codes = self._codes[name]
            kept[name][row] = codes.setdefault(getattr(memory, name), len(codes))
        whole = self._wholes[parts.whole_id(memory.id)]
        kept["whole"][row] = whole[0] if whole else row
        whole.append(row)
        kept["place"][row] = kept["before"][row] = kept["after"][row] = -1
        if memory.index is not None:
            self._stand(row, memory, memory.index)
        if memory.supersedes:
            self._naming.add(row)
        if record.vector is not None:
            vector = np.asarray(record.vector, np.float32)
            self._vectors[row] = vector / (float(np.linalg.norm(vector)) or 1.0)
        self._live += 1
        self._total += length

    def _stand(self, row: int, memory: Memory, index: int) -> None:
        """Put *row* between those before and after it in its session."""
        key = memory.project, memory.session or ""
        if key not in self._places:
            self._places[key] = len(self._order)
            self._order.append([])
        place = self._places[key]
        order, mine = self._order[place], (index, memory.part, row)
        at = bisect_left(order, mine)
        order.insert(at, mine)
        before, after = self._columns["before"], self._columns["after"]
        self._columns["place"][row] = place
        if at > 0:
            before[row] = order[at - 1][2]
            after[before[row]] = row
        if at + 1 < len(order):
            after[row] = order[at + 1][2]
            before[after[row]] = row

    def remove(self, identifiers: Iterable[str]) -> None:
        """Take out the records with these ids; unknown ones are fine."""
        for identifier in identifiers:
            row = self._row_of.pop(identifier, None)
            if row is None:
                continue
            self.version += 1
            memory, kept = self.memories[row], self._columns
            assert memory is not None
            before, after = int(kept["before"][row]), int(kept["after"][row])
            if before >= 0:
                kept["after"][before] = after
            if after >= 0:
                kept["before"][after] = before
            if memory.index is not None:
                order = self._order[int(kept["place"][row])]
                order.remove((memory.index, memory.part, row))
            self._wholes[parts.whole_id(identifier)].remove(row)
            self._live -= 1
            self._total -= float(kept["length"][row])
            kept["live"][row] = False
            self._vectors[row] = 0
            self._naming.discard(row)
            self.memories[row] = None

    def _reserve(self, rows: int, width: int) -> None:
        have = len(self._columns["live"])
        if rows > have:
            more = max(rows, have + have // 2) - have
            for name, column in self._columns.items():
                self._columns[name] = np.concatenate([column, np.zeros(more, column.dtype)])
            empty = np.zeros((more, self._vectors.shape[1]), np.float32)
            self._vectors = np.concatenate([self._vectors, empty])
        if width > self._vectors.shape[1]:
            wider = np.zeros((len(self._vectors), width), np.float32)
            wider[:, : self._vectors.shape[1]] = self._vectors
            self._vectors = wider

    # -- looking ----------------------------------------------------------------------------------

    def postings(self, term: str) -> tuple[Ints, Ints]:
        """Return the live rows that have *term*, and how often each has it."""
        if term not in self._postings:
            return np.zeros(0, np.int32), np.zeros(0, np.int32)
        rows, hits = (np.array(one, np.int32) for one in self._postings[term])
        if self._live < len(self.memories):
            kept = self._columns["live"][rows]
            rows, hits = rows[kept], hits[kept]
        return rows, hits

    def having(self, term: str, here: int) -> int:
        """Return how many records of the collection have *term*, which *here* rows have."""
        return self.extent.having.get(term, here) if self.extent else here

    def chosen(self, name: str, values: Iterable[object]) -> Mask:
        """Return which rows have one of *values* as the label *name*."""
        codes = self._codes[name]
        wanted = [codes[one] for one in values if one in codes]
        mask: Mask = np.isin(self.column(name), wanted)
        return mask

    def of_memories(self, identifiers: Iterable[str]) -> Mask:
        """Return which rows are, or are parts of, the memories with these ids."""
        mask = np.zeros(len(self.memories), np.bool_)
        for identifier in identifiers:
            mask[self._wholes.get(identifier, [])] = True
        return mask

    def values(self, name: str) -> list[str]:
        """Return the values of the label *name* that rows have or had."""
        return [one for one in self._codes[name] if isinstance(one, str)]

    def place_lengths(self) -> Floats:
        """Return how many terms the turns of each session have together."""
        if self._place_lengths[0] != self.version:
            place, length = self.column("place"), self.column("length")
            kept = (place >= 0) & self.column("live")
            sums = np.bincount(place[kept], length[kept], self.places)
            self._place_lengths = self.version, sums.astype(np.float32)
        return self._place_lengths[1]

    def superseded(self) -> dict[str, str]:
        """Return what newer memories name as superseded, with the newest that does."""
        return replaced(memory for row in self._naming if (memory := self.memories[row]))

    def whole(self, row: int) -> Memory:
        """Return the memory that *row* is a part of, whole if all its parts are here."""
        memory = self._at(row)
        rows = self._wholes[parts.whole_id(memory.id)]
        found = [self._at(one) for one in rows]
        return parts.join(found) if len(found) == memory.parts > 1 else memory

    def beside(self, row: int) -> Iterator[Memory]:
        """Yield what was said directly before and after the turn that *row* is part of."""
        identifier = parts.whole_id(self._at(row).id)
        for way in ("before", "after"):
            other = int(self._columns[way][row])
            while other >= 0 and parts.whole_id(self._at(other).id) == identifier:
                other = int(self._columns[way][other])
            if other >= 0:
                yield self._at(other)

    def ids(self) -> Sequence[str]:
        """Return the ids of all rows."""
        return list(self._row_of)

    def _at(self, row: int) -> Memory:
        memory = self.memories[row]
        assert memory is not None
        return memory
