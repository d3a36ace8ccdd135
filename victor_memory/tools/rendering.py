"""Results as text that a model reads: places, fenced quotations, and why each is there.

What comes from files and conversations stands between fences that are longer than any in it, under
a line that calls it data: whatever it says, it ends where the fence ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from victor_memory.tools.results import QUOTED

Values = Mapping[str, Any]

_BACKTICKS: Final = re.compile(r"`+")
_LEAST_FENCE: Final = 3
_REASONS: Final = 4
_LONG: Final = 160
"""Characters up to which something quoted may stand in a line of ours."""


def fenced(text: str, language: str = "") -> str:
    """Return *text* between fences that nothing in it can close.

    >>> print(fenced("a ``` b"))
    ````
    a ``` b
    ````
    """
    longest = max(map(len, _BACKTICKS.findall(text)), default=0)
    fence = "`" * max(_LEAST_FENCE, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def code_found(found: Values) -> str:
    """Return the text of a `CodeFound`."""
    lines: list[str] = []
    if files := found["files"]:
        lines.append("Files to look at first:")
        for one in files:
            names = f": {inline(', '.join(one['symbols']))}" if one["symbols"] else ""
            lines.append(f"- {inline(one['path'])}{names}")
        lines.append("")
    for one in found["results"]:
        place = f"{inline(one['path'])}:{one['start_line']}-{one['end_line']}"
        symbol = f"  {inline(one['symbol'])}" if one.get("symbol") else ""
        lines += [f"{place}{symbol}{_why(one)}", fenced(one["text"], _language(one)), ""]
    for one in found["commits"]:
        lines += [*_commit(one), ""]
    if found["suggestions"]:
        lines += [f"Names like it: {inline(', '.join(found['suggestions']))}", ""]
    count = len(found["results"]) + len(found["commits"])
    return _told(found, lines, count, f"for {found['target']} {inline(found['query'])!r}")


def _commit(one: Values) -> list[str]:
    shown = one["files"]
    more = one["file_count"] - len(shown)
    touched = inline(", ".join(shown)) + (f" and {more} more" if more > 0 else "")
    head = f"commit {one['sha'][:12]}  {one['date'][:10]}  {inline(one['author'])}{_why(one)}"
    said = one["subject"] if one["text"] in {"", one["subject"]} else one["text"]
    if one["subject"] not in said:
        said = f"{one['subject']}\n\n{said}"
    return [head, fenced(said), f"touches {touched}"]


def memories(found: Values) -> str:
    """Return the text of a `Memories`."""
    lines: list[str] = []
    for one in found["results"]:
        lines += [_memory(one), fenced(one["text"])]
        for turn in one.get("context") or ():
            who = f" by {inline(turn['speaker'])}" if turn.get("speaker") else ""
            lines += [f"beside it{who}:", fenced(turn["text"])]
        lines.append("")
    return _marked(_told(found, lines, len(found["results"]), "in memory"))


def _memory(one: Values) -> str:
    said = f" by {inline(one['speaker'])}" if one.get("speaker") else ""
    session = f", session {inline(one['session'])}" if one.get("session") else ""
    head = f"[{one['id']}] {one['kind']}{said}, {one['created_at'][:16].replace('T', ' ')}{session}"
    if one.get("superseded_by"):
        head += f"; SUPERSEDED by {one['superseded_by']}"
    if one.get("amended_by"):
        head += f"; CHANGED by {one['amended_by']}"
    if one.get("stale"):
        head += f"; MAY HOLD NO LONGER: {inline('; '.join(one['stale']))}"
    return head + _why(one)


def stored(done: Values) -> str:
    """Return the text of a `Stored`."""
    memory = done["memory"]
    what = "Remembered" if done["new"] else "Known already, and left as it was"
    lines = [f"{what}: {memory['kind']} {memory['id']}"]
    for name, said in (
        ("supersedes", "It takes the place of"),
        ("similar", "Noted about the same; if it holds no longer, say so with `supersedes`"),
    ):
        if done[name]:
            quoted = "\n".join(f"[{one['id']}] {one['text']}" for one in done[name])
            lines += [f"{said}. {QUOTED}", fenced(quoted)]
    if done["redacted"]:
        lines.append(f"Taken out before it was stored: {', '.join(done['redacted'])}")
    return "\n".join(lines)


def context(built: Values) -> str:
    """Return the text of a `Context`."""
    lines = [built["text"], ""] if built["items"] else []
    return _marked(_told(built, lines, len(built["items"]), "in both memories"))


def forgotten(gone: Values) -> str:
    """Return the text of a `Forgotten`."""
    lines = [f"Forgotten: {', '.join(gone['forgotten']) or 'nothing'}"]
    if gone["unknown"]:
        unknown = inline(", ".join(gone["unknown"]))
        lines.append(
            f"No memory of this project has the id {unknown}. Ids come from memory_recall."
        )
    if again := gone["current_again"]:
        lines.append(
            f"They had superseded {', '.join(again)}, which holds again. Forget that too if it "
            "should not."
        )
    return "\n".join(lines)


def outline(found: Values) -> str:
    """Return the text of an `Outline`."""
    body: list[str] = []
    for one in found["imports"]:
        names = f": {', '.join(one['names'])}" if one["names"] else ""
        body.append(f"{one['line']:6}  import {one['module']}{names}")
    around: list[int] = []
    for one in found["symbols"]:
        while around and around[-1] < one["start_line"]:
            around.pop()
        shown = one["signature"] or f"{one['kind']} {one['name']}"
        body.append(f"{one['start_line']:6}  {'  ' * len(around)}{shown}")
        around.append(one["end_line"])
    lines = [inline(found["path"]), fenced("\n".join(body)), ""] if body else []
    return _told(found, lines, len(body), f"defined in {inline(found['path'])}")


def callers(found: Values) -> str:
    """Return the text of a `Callers`."""
    body = [
        f"{one['path']}:{one['line']}"
        + (f"  in {one['within']}" if one.get("within") else "")
        + f"\n    {one['text']}"
        for one in found["results"]
    ]
    lines = [fenced("\n".join(body)), ""] if body else []
    return _told(found, lines, len(body), f"that calls {inline(found['name'])!r}")


def status(found: Values) -> str:
    """Return the text of a `Status`."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in found["kinds"].items())
    lines = [
        f"project {inline(found['project'])} at {inline(found['root'])}",
        f"memories: {found['memories']}" + (f" ({kinds})" if kinds else ""),
        f"code: {found['files']} files, {found['chunks']} pieces in {found['store']}",
    ]
    return "\n".join([*lines, *([found["notice"]] if found.get("notice") else [])])


def as_json(values: object) -> str:
    """Return the text of a result of which nothing is known: what a plugin's tool returns."""
    import json

    return fenced(json.dumps(values, ensure_ascii=False, indent=2, default=str), "json")


def inline(text: str) -> str:
    """Return *text* as part of a line of ours: without line breaks, and not at length."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONG else flat[:_LONG] + "..."


def _told(found: Values, lines: Sequence[str], count: int, what: str) -> str:
    """Return *lines* under a heading that calls them data, with what else is to be known."""
    if not count:
        head = [f"Nothing {what}."]
    else:
        head = [f"{count} {'result' if count == 1 else 'results'} {what}. {found['data']}", ""]
    tail: list[str] = []
    if found.get("left_out"):
        tail.append(f"{found['left_out']} more did not fit: raise budget, or ask more narrowly.")
    if found.get("notice"):
        tail.append(f"Note: {found['notice']}")
    return "\n".join([*head, *lines, *tail]).rstrip()


def _marked(text: str) -> str:
    """Return *text* so marked that it is not remembered as something new; see `fence`."""
    from victor_memory.conversation.fence import wrap

    return wrap(text)


def _why(one: Values) -> str:
    """Return the main parts of a score."""
    parts: Mapping[str, float] = one.get("why") or {}
    best = sorted(parts, key=lambda name: -abs(parts[name]))[:_REASONS]
    said = ", ".join(f"{name} {parts[name]:.2f}" for name in best)
    score = f"score {one['score']:.2f}" if one.get("score") is not None else ""
    return f"  ({score}{': ' if said and score else ''}{said})" if said or score else ""


def _language(one: Values) -> str:
    language = one.get("language") or ""
    return language if re.fullmatch(r"[\w+#.-]*", language) else ""


RENDERERS: Final[Mapping[str, Callable[[Values], str]]] = {
    "CodeFound": code_found,
    "Memories": memories,
    "Stored": stored,
    "Context": context,
    "Forgotten": forgotten,
    "Outline": outline,
    "Callers": callers,
    "Status": status,
}
"""What writes each kind of result, by the name of its model."""
