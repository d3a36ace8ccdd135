"""What `victor-memory export` writes: a line that says whose memory it is, then a memory a line.

See `victor_memory.transfer.exporting` for the fields. A memory is stored again as it was, under the
id that its content gives it; ids of memories that other memories name are translated if they
change, which they do when the memory of one project is imported into another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

from victor_memory.conversation.records import Memory
from victor_memory.errors import TransferError
from victor_memory.transfer.lines import State, json_lines
from victor_memory.transfer.model import Batch, Cursor, Entry, Head
from victor_memory.transfer.restoring import identified
from victor_memory.transfer.text import moment

SCHEMA: Final = "victor-memory.export/1"
_FAMILY: Final = "victor-memory.export/"


class OwnExport:
    """Reads our own export."""

    name: ClassVar[str] = "victor-memory"
    title: ClassVar[str] = "our own export"
    one_home: ClassVar[bool] = True

    def recognizes(self, head: Head) -> bool:
        """Return whether the first line is our header."""
        return any(
            isinstance(one, dict) and str(one.get("schema", "")).startswith(_FAMILY)
            for one in head.documents[:1]
        )

    def places(self, root: Path) -> Iterable[Path]:
        """Return nothing: such files are named by whoever wants them."""
        del root
        return ()

    def batches(self, path: Path, since: Cursor | None, size: int) -> Iterator[Batch]:
        """Yield the memories in *path* after *since*."""

        def entries(value: Any, line: int, state: State) -> Iterator[Entry]:
            if "schema" in value:
                if value["schema"] != SCHEMA:
                    msg = (
                        f"{path} is an export of the form {value['schema']!r}, and this version "
                        f"reads {SCHEMA!r}. Upgrade with: pip install --upgrade victor-memory"
                    )
                    raise TransferError(msg)
                state["project"] = value["project"]
                return
            if "project" not in state:
                msg = "before the line that names the project"
                raise ValueError(msg)
            project = value.get("project") or state["project"]
            yield Entry(_memory(value, project), line, None, project)

        return json_lines(path, since, size, entries)


def _memory(value: dict[str, Any], project: str) -> Memory:
    when = moment(value["created_at"])
    if when is None:
        msg = f"created_at is {value['created_at']!r}"
        raise ValueError(msg)
    fields = {name: one for name, one in value.items() if name not in {"id", "project"}}
    return identified({**fields, "project": project, "created_at": when}, value["id"])
