"""Memories as they were: under their ids, and under others in another project."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from victor_memory.conversation.records import USER, Memory, at_index, new_memory


def identified(fields: Mapping[str, Any], identifier: str | None) -> Memory:
    """Return the memory of *fields*, under the id that they give it.

    A turn that was added without an index has one, which is not part of its id: which of the two
    it is, *identifier* tells.

    Raises:
        InvalidRequestError: a field has a value that cannot be remembered.

    """
    memory = new_memory(**fields)
    if memory.index is not None and memory.id != identifier:
        placed = new_memory(**{**fields, "index": None})
        if placed.id == identifier:
            return at_index(placed, memory.index)
    return memory


def moved(memory: Memory, project: str, ids: Mapping[str, str]) -> Memory:
    """Return *memory* as one of *project*; *ids* are the new ids of those it may name.

    What belongs to the user, in all projects, stays the user's.
    """
    if project in {memory.project, USER} or memory.scope == "user":
        return memory
    return dataclasses.replace(
        memory,
        id=moved_id(memory, project),
        project=project,
        links=tuple(ids.get(one, one) for one in memory.links),
        supersedes=tuple(ids.get(one, one) for one in memory.supersedes),
    )


def moved_id(memory: Memory, project: str) -> str:
    """Return the id that *memory* has in *project*."""
    skipped = {"id", "part", "parts", "project"}
    fields = {
        one.name: getattr(memory, one.name)
        for one in dataclasses.fields(memory)
        if one.name not in skipped
    }
    if memory.index is not None and new_memory(**fields, project=memory.project).id != memory.id:
        fields["index"] = None
    return new_memory(**fields, project=project).id
