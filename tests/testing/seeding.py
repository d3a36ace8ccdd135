"""How a bug is seeded: a store with one defect, and the promises that it must break, no others."""

import os
from typing import ClassVar

from victor_memory.testing import ProviderContract

EVERYTHING = "SEEDED_BUGS_FULL" in os.environ
"""Run the whole kit on each bug, which takes minutes, and not only the subjects it concerns."""

COSTLY = frozenset(
    {
        "test_end_of_long_text_is_found",
        "test_full_disk_loses_nothing",
        "test_killed_writer_loses_nothing",
        "test_nearest_of_many",
        "test_next_process_finds_the_data",
        "test_other_processes_are_seen",
        "test_processes_store_the_same_records",
        "test_purge_disturbs_no_reader",
        "test_read_only_data",
        "test_read_only_directory",
        "test_search_filters_like_scan",
        "test_text_search_filters_like_scan",
    }
)
"""The tests that take longest; they run on the bugs made for them."""


class Quick:
    """Small numbers: the kit runs once for each bug."""

    large_batch: ClassVar[int] = 50
    congruence_operations: ClassVar[int] = 80
    kills: ClassVar[int] = 2
    processes: ClassVar[int] = 2
    upserts_per_process: ClassVar[int] = 5
    timeout: ClassVar[float] = 20


def seeded(bugs, namespace, *breaks):
    """Record in *bugs* which promises a class *breaks*, and run the kit on it from *namespace*.

    The first is the promise that the bug was made for. Congruence is left out of account: it may
    or may not meet the bug by chance.
    """

    def register(provider_class):
        name = f"Test{provider_class.__name__}"
        fields = {"provider_class": provider_class, "__module__": provider_class.__module__}
        bases = (Quick, ProviderContract)
        if not EVERYTHING:
            concerned = {_subject(test) for test in breaks}
            bases = (Quick, *(one for one in ProviderContract.__bases__ if one in concerned))
            left_out = COSTLY.difference(breaks[:1])
            fields |= dict.fromkeys(left_out)
            bugs[provider_class.__name__] = tuple(one for one in breaks if one not in left_out)
        else:
            bugs[provider_class.__name__] = breaks
        namespace[name] = type(name, bases, fields)
        return provider_class

    return register


def _subject(test):
    return next(one for one in ProviderContract.__bases__ if test in vars(one))
