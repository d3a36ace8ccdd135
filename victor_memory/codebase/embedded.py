"""Scripts inside a text of another language: the `<script>` blocks of HTML, Vue and Svelte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HOSTS: Final = frozenset(["html", "svelte", "vue"])
"""Languages that have such blocks, as `languages.language_of` calls them."""
_BLOCK: Final = re.compile(
    r"<script\b(?P<attributes>(?:[^>\"']|\"[^\"]*\"|'[^']*')*)>(?P<body>.*?)</script\s*>",
    re.DOTALL | re.IGNORECASE,
)
_SAYS: Final = re.compile(r"""\b(lang|type)\s*=\s*["']?([^"'\s>]+)""", re.IGNORECASE)
_LANGUAGES: Final = {
    "babel": "javascript",
    "ecmascript": "javascript",
    "javascript": "javascript",
    "js": "javascript",
    "jsx": "javascript",
    "module": "javascript",
    "ts": "typescript",
    "tsx": "tsx",
    "typescript": "typescript",
}
"""What a block says it is, by the last word of its `lang` or `type`; any other is no program."""
_TEMPLATES: Final = frozenset(["svelte", "vue"])
_EXPRESSION: Final = re.compile(r"\{[^{}]*\}")
_ANGLES: Final = str.maketrans("<>", "  ")


@dataclass(frozen=True, slots=True)
class Script:
    """A script: *text* begins in the line *row* (0-based), behind its tag, and has whole lines."""

    row: int
    text: str
    language: str


def markup(text: str, language: str | None) -> str:
    """Return *text* for a parser of HTML, as long: in expressions of templates, `<` is no tag."""
    if language not in _TEMPLATES:
        return text
    return _EXPRESSION.sub(lambda found: found[0].translate(_ANGLES), text)


def scripts(text: str, language: str | None) -> Iterator[Script]:
    """Yield the scripts of more than one line in *text*, which is written in *language*."""
    if language not in HOSTS:
        return
    for block in _BLOCK.finditer(text):
        said = {key.lower(): value.lower() for key, value in _SAYS.findall(block["attributes"])}
        named = re.split(r"[/.-]", said.get("lang") or said.get("type") or "js")[-1]
        if named in _LANGUAGES and "\n" in block["body"]:
            row = text.count("\n", 0, block.start("body"))
            yield Script(row, block["body"], _LANGUAGES[named])
