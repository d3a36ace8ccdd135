"""The conformance kit with the numbers of a release, for every installed store.

    python -m pytest benchmarks/campaign.py -k "killed or congruence or processes" --timeout 3600

50 kills in the middle of writes, 10,000 random operations for each of three seeds and each metric,
and 8 processes of 500 upserts with overlapping ids.
"""

from __future__ import annotations

import pytest

from victor_memory.catalogue import BUILTIN_PROVIDERS
from victor_memory.testing import ProviderContract

SPECS = {spec.name: spec for spec in BUILTIN_PROVIDERS if not spec.missing()}


class Campaign(ProviderContract):
    """Larger numbers; what the store is comes from its subclass."""

    __test__ = False
    kills = 50
    congruence_operations = 10_000
    congruence_seeds = (1, 2, 3)
    processes = 8
    upserts_per_process = 500
    timeout = 3000


for name, spec in SPECS.items():
    globals()[f"Test_{name}"] = type(
        f"Test_{name}", (Campaign,), {"provider_class": spec.load(), "__test__": True}
    )

pytestmark = pytest.mark.filterwarnings("error")
