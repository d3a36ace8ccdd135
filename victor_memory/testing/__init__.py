"""The conformance kit: proves that a vector store keeps the promises of the protocol.

`contract` says how to use it; the other files hold the promises, by subject.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from victor_memory.testing.congruence import check_congruence
    from victor_memory.testing.contract import Deviation, ProviderContract

__all__ = ["Deviation", "ProviderContract", "check_congruence"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: the processes that the kit starts do without pytest."""
    if name in ("Deviation", "ProviderContract"):
        from victor_memory.testing import contract

        return getattr(contract, name)
    if name == "check_congruence":
        from victor_memory.testing.congruence import check_congruence

        return check_congruence
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
