"""The other process: `python -m victor_memory.testing._worker`, without pytest.

Its first line of input names the provider and holds its configuration, every later line is one
request; the answers are lines of JSON. It closes the provider and ends with its input. Anything
that goes wrong ends it with a traceback on stderr and another status than 0.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from victor_memory.config import EmbeddingConfig
from victor_memory.errors import VictorMemoryError
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.testing._data import unit
from victor_memory.types import Record

Say: TypeAlias = Callable[[Any], None]

CHURN_IDS: Final = 300
"""How many ids a churn writes to: few enough that most of its writes are updates."""


@dataclass(frozen=True, slots=True)
class Step:
    """One write of a churn: *ids* get the version *version*, or are deleted if that is `None`."""

    ids: tuple[str, ...]
    version: str | None

    async def apply(self, provider: BaseEmbeddingProvider) -> None:
        """Do it to the store."""
        if self.version is None:
            await provider.delete(self.ids)
        else:
            await provider.upsert([churned(one, self.version) for one in self.ids])

    def apply_to(self, state: dict[str, str]) -> None:
        """Do it to *state*: what the store must hold, version by id."""
        for one in self.ids:
            if self.version is None:
                state.pop(one, None)
            else:
                state[one] = self.version


def churned(identifier: str, version: str) -> Record:
    """Return the record that *version* of *identifier* is."""
    text = f"{identifier} in version {version} " + "filling " * 20
    vector = unit((identifier, version))
    return Record(identifier, text, vector, {"version": version}, churn_term(identifier, version))


def churn_term(identifier: str, version: str) -> str:
    """Return the one word by which that record, and no other, is found."""
    return f"{identifier}in{version}"


def steps(seed: int) -> Iterator[Step]:
    """Yield an endless series of writes, always the same for the same *seed*."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    for number in itertools.count():
        size = rng.choice((1, 1, 2, 5, 20, 60))
        ids = tuple(f"churn{n}" for n in rng.sample(range(CHURN_IDS), size))
        yield Step(ids, None if rng.random() < 0.3 else f"{seed}v{number}")  # noqa: PLR2004 - a share, used once


# -- requests -------------------------------------------------------------------------------------


async def initialize(provider: BaseEmbeddingProvider, say: Say) -> None:
    """Open the collection; the first answer comes before, the second after."""
    say("opening")
    await provider.initialize()
    say("open")


async def upsert(provider: BaseEmbeddingProvider, say: Say, *, texts: dict[str, str]) -> None:
    """Store *texts* by id, each with the vector of its id; answer how many."""
    say(await provider.upsert([Record(key, text, unit(key)) for key, text in texts.items()]))


async def delete(provider: BaseEmbeddingProvider, say: Say, *, ids: list[str]) -> None:
    """Delete *ids*; answer how many there were."""
    say(await provider.delete(ids))


async def dump(provider: BaseEmbeddingProvider, say: Say) -> None:
    """Answer the text of every record by its id."""
    say({one.id: one.text async for batch in provider.scan() for one in batch})


async def attempt(
    provider: BaseEmbeddingProvider, say: Say, *, request: str, **arguments: Any
) -> None:
    """Make another request; answer it, or with the class and message of an error of ours."""
    try:
        await REQUESTS[request](provider, say, **arguments)
    except VictorMemoryError as exc:
        say({"error": type(exc).__name__, "message": str(exc)})


async def churn(provider: BaseEmbeddingProvider, say: Say, *, seed: int) -> None:
    """Write without end; answer the number of each step after it is acknowledged."""
    for number, step in enumerate(steps(seed)):
        await step.apply(provider)
        say(number)


async def storm(
    provider: BaseEmbeddingProvider, say: Say, *, who: int, upserts: int, ids: int
) -> None:
    """Make *upserts* calls over *ids* ids that all processes share; answer at the end."""
    rng = random.Random(who)  # noqa: S311 - reproducible, not secret
    for number in range(upserts):
        # All processes write the same new id at about the same time, an older one, and their own.
        some = {f"storm{number % ids}", f"storm{rng.randrange(ids)}", f"own{who}-{number}"}
        text = f"by {who} in call {number}"
        await provider.upsert([Record(one, text, unit(one)) for one in some])
    say("done")


async def read(provider: BaseEmbeddingProvider, say: Say, *, ids: list[str]) -> None:
    """Read without end, until the collection's place has a file `stop`; answer how often.

    The first answer comes once the collection is open, and is 0. What is written before `stop` is
    there is always read once more.
    """
    place = provider.config.persist_directory
    assert place is not None
    wanted, rounds, stopped = set(ids), 0, False
    await provider.count()
    say(0)
    while not stopped:
        stopped = place.joinpath("stop").exists()
        found = {one.id for one in await provider.get(ids)}
        assert found == wanted, f"{wanted - found} are gone"
        scanned = [one.id async for batch in provider.scan(batch_size=10) for one in batch]
        assert wanted <= {*scanned}, f"{wanted - {*scanned}} are not scanned"
        assert len(scanned) == len({*scanned}), "a record is scanned twice"
        (hit,) = await provider.search(unit(ids[0]), limit=1)
        assert hit.id == ids[0]
        assert await provider.search_text("text", limit=5)
        rounds += 1
    say(rounds)


async def overflow(provider: BaseEmbeddingProvider, say: Say, *, size: int) -> None:
    """Write more than *size* bytes where no file may grow beyond that; answer what was raised."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    rng = random.Random(0)  # noqa: S311 - reproducible, not secret
    # Random words, because an engine may compress what it writes.
    texts = [" ".join(f"{rng.getrandbits(64):x}" for _ in range(600)) for _ in range(size // 5_000)]
    batch = [Record(f"big{n}", text, unit(n), terms="big") for n, text in enumerate(texts)]
    try:
        await provider.upsert(batch)
    except VictorMemoryError as exc:
        say({"stored": 0, "error": str(exc)})
    else:
        say({"stored": len(batch), "error": None})
    # Closing would write again, and that it cannot do so is not what is asked.
    os._exit(0)


REQUESTS: Final[dict[str, Callable[..., Awaitable[None]]]] = {
    "attempt": attempt,
    "initialize": initialize,
    "upsert": upsert,
    "delete": delete,
    "dump": dump,
    "churn": churn,
    "storm": storm,
    "overflow": overflow,
    "read": read,
}


async def serve(say: Say) -> None:
    """Answer requests until the input ends."""
    first = json.loads(sys.stdin.readline())
    module, _, name = first["provider"].partition(":")
    target: Any = importlib.import_module(module)
    for part in name.split("."):
        target = getattr(target, part)
    provider: BaseEmbeddingProvider = target(EmbeddingConfig(**first["config"]))
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            request = json.loads(line)
            await REQUESTS[request.pop("do")](provider, say, **request)
    finally:
        await provider.close()


def main() -> None:
    """Keep the real stdout for the answers; what the store prints goes to stderr."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(answer: Any) -> None:
        channel.write(json.dumps(answer) + "\n")
        channel.flush()

    asyncio.run(serve(say))


if __name__ == "__main__":
    main()
