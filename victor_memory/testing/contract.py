"""`ProviderContract`: every promise of the protocol, as tests that a store's author inherits.

The whole test file of a store:

```python
from victor_memory.testing import ProviderContract
from my_package import MyProvider


class TestMyStore(ProviderContract):
    provider_class = MyProvider
```

A store that needs options overrides the fixture `options`. What the store's `traits` do not declare
is skipped, visibly. What it cannot keep is declared, never overridden:

```python
    deviations = {
        "test_ints_of_any_size": Deviation("never", "the engine's numbers have 64 bits"),
    }
```

A campaign is a subclass with larger numbers: `kills`, `congruence_operations`, `congruence_seeds`,
`processes`, `upserts_per_process`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, get_args

import pytest

from victor_memory.errors import ContractError

SUBJECTS: Final = (
    "_records",
    "_collection",
    "_search",
    "_filters",
    "_text",
    "_documents",
    "_lifecycle",
    "_durability",
    "_erasure",
    "_concurrency",
    "_errors",
)
# Before they are imported, so that their `assert` says what was compared.
pytest.register_assert_rewrite(*(f"victor_memory.testing.{subject}" for subject in SUBJECTS))

from victor_memory.testing._collection import CollectionPromises  # noqa: E402 - see above
from victor_memory.testing._concurrency import ConcurrencyPromises  # noqa: E402 - after the assertions are rewritten
from victor_memory.testing._documents import DocumentPromises  # noqa: E402 - after the assertions are rewritten
from victor_memory.testing._durability import DurabilityPromises  # noqa: E402 - after the assertions are rewritten
from victor_memory.testing._erasure import ErasurePromises  # noqa: E402 - after the assertions are rewritten
from victor_memory.testing._errors import ErrorPromises  # noqa: E402 - after the assertions are rewritten
from victor_memory.testing._filters import FilterPromises  # noqa: E402 - after the assertions are rewritten
from victor_memory.testing._lifecycle import LifecyclePromises  # noqa: E402 - after the assertions are rewritten
from victor_memory.testing._records import RecordPromises  # noqa: E402 - after the assertions are rewritten
from victor_memory.testing._search import SearchPromises  # noqa: E402 - after the assertions are rewritten
from victor_memory.testing._text import TextPromises  # noqa: E402 - after the assertions are rewritten
from victor_memory.testing.congruence import CongruencePromises  # noqa: E402 - after the assertions are rewritten

Kind = Literal["not implemented", "not yet", "never"]


@dataclass(frozen=True, slots=True)
class Deviation:
    """Why a store does not keep one promise; the test must then fail, with *raises*.

    `"not implemented"`: the engine can, the provider does not. `"not yet"`: the engine cannot, and
    may learn it. `"never"`: it is against the engine's nature.
    """

    kind: Kind
    reason: str
    raises: type[BaseException] | tuple[type[BaseException], ...] = AssertionError

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind) or not self.reason.strip():
            msg = f"A deviation has a reason and is one of {', '.join(get_args(Kind))}: {self}."
            raise ContractError(msg)


class ProviderContract(
    RecordPromises,
    CollectionPromises,
    SearchPromises,
    FilterPromises,
    TextPromises,
    DocumentPromises,
    LifecyclePromises,
    DurabilityPromises,
    ErasurePromises,
    ConcurrencyPromises,
    ErrorPromises,
    CongruencePromises,
):
    """Subclass it, set `provider_class`, and pytest runs every promise against that store.

    Raises:
        ContractError: when the subclass is made: it replaces a test of the kit, or declares a
            deviation from a test that does not exist.

    """

    deviations: ClassVar[Mapping[str, Deviation]] = {}
    """By the name of the test, each promise that the store does not keep."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a test that replaces one of the kit, and turn deviations into strict xfails."""
        super().__init_subclass__(**kwargs)
        standard = _tests(ProviderContract)
        if unknown := sorted(cls.deviations.keys() - standard.keys()):
            msg = f"{cls.__name__} deviates from {', '.join(unknown)}, which the kit does not have."
            raise ContractError(msg)
        for name, test in standard.items():
            own = inspect.getattr_static(cls, name)
            if own is not test and not hasattr(own, "deviation"):
                msg = (
                    f"{cls.__name__} replaces the standard test {name}. Rename its own test, or "
                    "declare in `deviations` why the store does not keep the promise."
                )
                raise ContractError(msg)
            if name in cls.deviations:
                setattr(cls, name, _deviating(test, cls.deviations[name]))
            elif own is not test:
                # A parent deviates, and this class says that it does not.
                setattr(cls, name, test)

    @classmethod
    def promises(cls) -> dict[str, str]:
        """Return every promise of the kit: the name of its test, and what it says."""
        return {name: " ".join((test.__doc__ or "").split()) for name, test in _tests(cls).items()}


def _tests(contract: type) -> dict[str, Callable[..., None]]:
    found = {name: inspect.getattr_static(contract, name) for name in dir(contract)}
    return {name: test for name, test in found.items() if name.startswith("test_")}


def _deviating(test: Callable[..., None], deviation: Deviation) -> Callable[..., None]:
    """Return a copy of *test* that must fail as *deviation* says."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        test(*args, **kwargs)

    run.deviation = deviation  # type: ignore[attr-defined]  # a mark for ourselves
    reason = f"{deviation.kind}: {deviation.reason}"
    marked: Callable[..., None] = pytest.mark.xfail(
        raises=deviation.raises, reason=reason, strict=True
    )(run)
    return marked
