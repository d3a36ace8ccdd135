"""`BaseStore` over one collection of victor_memory.

An item is a record that holds its value, and one more for each of its texts that can be searched;
all of them have the namespace as a field, so a search below a prefix never looks at other items.
"""

import asyncio
import hashlib
import json
import threading
from datetime import UTC, datetime

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    PutOp,
    SearchItem,
    SearchOp,
    get_text_at_path,
)

from victor_memory import Record, open_runtime

VALUE, TEXT = "value", "text"
OPERATORS = {
    "$eq": lambda one, other: one == other,
    "$ne": lambda one, other: one != other,
    "$gt": lambda one, other: _numbers(one, other) and float(one) > float(other),
    "$gte": lambda one, other: _numbers(one, other) and float(one) >= float(other),
    "$lt": lambda one, other: _numbers(one, other) and float(one) < float(other),
    "$lte": lambda one, other: _numbers(one, other) and float(one) <= float(other),
}


class VictorMemoryStore(BaseStore):
    """Items of a LangGraph program, kept in the memory of a project.

    *fields* are the paths whose texts can be searched where `put` names none; `$` is the whole
    value. The store has a thread of its own, so it serves `invoke` and `ainvoke` alike. Use it in
    a `with` statement, or call `close`.
    """

    def __init__(self, settings=None, *, project=".", collection="langgraph", fields=("$",)):
        self._fields = tuple(fields)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runtime = open_runtime(settings, project=project)
        name = f"{self._runtime.scope.project}-{collection}"
        self._records = self._runtime.provider("conversation", name)
        self._turn = asyncio.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the collection and end the thread."""
        if self._thread.is_alive():
            self._submit(self._runtime.close()).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def batch(self, ops):
        return self._submit(self._answer(list(ops))).result()

    async def abatch(self, ops):
        return await asyncio.wrap_future(self._submit(self._answer(list(ops))))

    def _submit(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _answer(self, ops):
        """Answer what is asked as things stand, then store; the last `put` of a key wins."""
        async with self._turn:
            results = [await self._read(op) for op in ops]
            puts = {(op.namespace, op.key): op for op in ops if isinstance(op, PutOp)}
            if puts:
                await self._write(puts)
            return results

    async def _read(self, op):
        match op:
            case GetOp():
                found = await self._records.get([_id(op.namespace, op.key)])
                return _item(Item, found[0]) if found else None
            case SearchOp(query=query) if query:
                return await self._similar(op)
            case SearchOp():
                items = [_item(SearchItem, one) for one in await self._matching(op)]
                return _page(sorted(items, key=_newest_first), op)
            case ListNamespacesOp():
                return await self._namespaces(op)
            case PutOp():
                return None
        raise ValueError(f"Unknown operation: {type(op).__name__}")

    # -- writing -------------------------------------------------------------------------------

    async def _write(self, puts):
        ids = {_id(*where): op for where, op in puts.items()}
        known = {one.id: one for one in await self._records.get(ids)}
        now = datetime.now(UTC).isoformat()
        records = []
        for one, op in ids.items():
            if op.value is not None:
                made = known[one].metadata["created"] if one in known else now
                records += await self._as_records(one, op, made, now)
        old = [f"{one}.{n}" for one, it in known.items() for n in range(it.metadata["texts"])]
        kept = {record.id for record in records}
        await self._records.upsert(records)  # new before old goes: a kill loses no item
        await self._records.delete([one for one in (*known, *old) if one not in kept])

    async def _as_records(self, one, op, created, updated):
        value = dict(op.value)
        paths = () if op.index is False else self._fields if op.index is None else op.index
        texts = [text for path in paths for text in get_text_at_path(value, path)]
        vectors = await self._records.embed_batch([op.key, *texts])
        place = {"namespace": _path(op.namespace), "item": one}
        kept = {
            **place, "kind": VALUE, "labels": json.dumps(op.namespace), "key": op.key,
            "json": json.dumps(value), "created": created, "updated": updated, "texts": len(texts),
        }  # fmt: skip
        return [
            Record(one, "", vectors[0], kept),
            *(
                Record(f"{one}.{n}", "", vector, {**place, "kind": TEXT})
                for n, vector in enumerate(vectors[1:])
            ),
        ]

    # -- reading -------------------------------------------------------------------------------

    async def _all(self, where):
        return [one async for batch in self._records.scan(where) for one in batch]

    async def _matching(self, op):
        """Return the records of all items below the prefix that pass the filter."""
        found = await self._all(_below(op.namespace_prefix, VALUE))
        return [one for one in found if _passes(json.loads(one.metadata["json"]), op.filter)]

    async def _similar(self, op):
        """Return items by the best of their texts, then those that cannot be searched."""
        (query,) = await self._records.embedder.embed([op.query], purpose="query")
        wanted = {one.id for one in await self._matching(op)} if op.filter else None
        where, end = _below(op.namespace_prefix, TEXT), op.offset + op.limit
        limit, best = 2 * end, {}
        while True:
            hits = await self._records.search(query, limit=limit, where=where)
            for hit in hits:
                if wanted is None or hit.metadata["item"] in wanted:
                    best.setdefault(hit.metadata["item"], hit.score)
            if len(best) >= end or len(hits) < limit:
                break
            limit *= 4
        ids = list(best)[op.offset : end]
        found = await self._records.get(ids)
        items = [_item(SearchItem, one, score=best[one.id]) for one in found]
        if len(items) < op.limit:
            rest = [one for one in await self._matching(op) if not one.metadata["texts"]]
            items += [_item(SearchItem, one) for one in rest[: op.limit - len(items)]]
        return items

    async def _namespaces(self, op):
        found = await self._all({"kind": VALUE})
        all_ = {tuple(json.loads(one.metadata["labels"])) for one in found}
        matching = {
            one
            for one in all_
            if all(_matches(one, condition) for condition in op.match_conditions or ())
        }
        return _page(sorted({one[: op.max_depth] for one in matching}), op)


def _page(items, op):
    return items[op.offset : op.offset + op.limit]


def _newest_first(item):
    return (-item.updated_at.timestamp(), item.namespace, item.key)


def _path(labels):
    """Return *labels* as a text in which a prefix of labels is a prefix."""
    return "".join(one.replace("%", "%25").replace(".", "%2E") + "." for one in labels)


def _below(prefix, kind):
    where = [{"kind": kind}]
    if prefix:
        where.append({"namespace": {"prefix": _path(prefix)}})
    return {"and": where}


def _id(namespace, key):
    return hashlib.sha256(json.dumps([list(namespace), key]).encode()).hexdigest()[:32]


def _item(kind, record, **more):
    told = record.metadata
    return kind(
        namespace=tuple(json.loads(told["labels"])),
        key=told["key"],
        value=json.loads(told["json"]),
        created_at=datetime.fromisoformat(told["created"]),
        updated_at=datetime.fromisoformat(told["updated"]),
        **more,
    )


def _matches(namespace, condition):
    path = condition.path
    if len(path) > len(namespace):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[-len(path) :]
    return not path or all(label in (one, "*") for one, label in zip(part, path, strict=True))


def _passes(value, wanted):
    return all(_compare(value.get(key), one) for key, one in (wanted or {}).items())


def _compare(value, wanted):
    if isinstance(wanted, dict):
        if any(key.startswith("$") for key in wanted):
            if unknown := set(wanted) - set(OPERATORS):
                raise ValueError(f"Unsupported operator: {', '.join(sorted(unknown))}")
            return all(OPERATORS[key](value, one) for key, one in wanted.items())
        return isinstance(value, dict) and all(
            _compare(value.get(key), one) for key, one in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(value, list)
            and len(value) == len(wanted)
            and all(map(_compare, value, wanted))
        )
    return value == wanted


def _numbers(*values):
    return all(isinstance(one, int | float) for one in values)
