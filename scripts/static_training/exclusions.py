"""What is kept out of the training text: packages that others evaluate on, and corpora at hand."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from static_training import code

NAMES: Final = Path(__file__).with_name("excluded_names.txt")
ALIASES: Final = {
    "abseil-cpp": ["absl", "abseil"],
    "fmtlib": ["fmt"],
    "guzzle": ["guzzlehttp"],
    "jinja": ["jinja2"],
    "laravel-framework": ["laravel", "illuminate"],
    "libuv": ["uv"],
    "newtonsoft-json": ["newtonsoft.json", "newtonsoft"],
    "nlohmann-json": ["nlohmann", "nlohmann_json"],
    "redis": ["hiredis"],
    "scikit-learn": ["sklearn"],
    "spring-framework": ["springframework"],
    "sqlite": ["sqlite3"],
    "jackson-databind": ["jackson", "fasterxml"],
    "messagepack-csharp": ["messagepack"],
    "prometheus": ["client_golang", "client_model"],
}
SHORTEST: Final = 40
"""Characters of a question that is looked for in the corpora: shorter ones are common."""
COPYLEFT: Final = re.compile(
    r"GNU (?:Lesser |Library |Affero )?General Public|\b[AL]?GPL(?:v?-?[23])|Mozilla Public|"
    r"Eclipse Public|Common Development and Distribution|"
    r"SPDX-License-Identifier:.*\b(?:MPL|EPL|CDDL)",
    re.IGNORECASE,
)
PERMISSIVE: Final = re.compile(r"Apache|\bMIT\b|\bBSD\b|\bISC\b|zlib", re.IGNORECASE)
HEAD: Final = 3000
"""Characters of a file in which its licence stands, if it says one."""
VERSION: Final = re.compile(r"[-_.]?v?\d+(?:\.\d+)*.*$")


class Exclusions:
    """Names of packages and digests of texts; it counts what it kept out.

    A file is out when a directory above it has an excluded name, with or without a version (so are
    vendored copies); a pair is out when its code or its question stands, spaces aside, in a corpus.
    """

    def __init__(self, corpora: Iterable[Path]) -> None:
        names = [x for x in NAMES.read_text("utf-8").split("\n") if x and not x.startswith("#")]
        self._names = {name for x in names for name in [x, *ALIASES.get(x, [])]}
        self._digests = {digest(text) for corpus in corpora for text in _texts(corpus)}
        # Interpreters keep every package under a directory of this name.
        self._directories = self._names - {"lua"}
        self.counts: Counter[str] = Counter()

    def name(self, package: str) -> bool:
        """Return whether *package* is an excluded one."""
        return package.lower().rpartition("/")[2] in self._names

    def path(self, path: str) -> bool:
        """Return whether a directory above *path* is an excluded package."""
        for part in path.lower().split("/")[:-1]:
            for name in (part, VERSION.sub("", part), part.removeprefix("lib")):
                if name in self._directories:
                    self.counts[f"directory {name}"] += 1
                    return True
        return False

    def licence(self, text: str) -> bool:
        """Return whether the file *text* says it is under a copyleft licence, with no other one."""
        head = text[:HEAD]
        if COPYLEFT.search(head) and not PERMISSIVE.search(head):
            self.counts["file under a copyleft licence"] += 1
            return True
        return False

    def text(self, *texts: str) -> bool:
        """Return whether one of *texts* stands in a corpus."""
        if any(digest(text) in self._digests for text in texts):
            self.counts["text of a corpus"] += 1
            return True
        return False


def digest(text: str) -> bytes:
    """Return what two texts share if they differ in spaces and case at most."""
    return hashlib.sha256("".join(text.split()).lower().encode()).digest()[:12]


def _texts(corpus: Path) -> Iterator[str]:
    files = sorted(corpus.rglob("*")) if corpus.is_dir() else [corpus]
    for file in files:
        extension = file.suffix.lower().lstrip(".")
        if not file.is_file():
            continue
        if extension == "json" and not corpus.is_dir():
            yield from _strings(json.loads(file.read_text("utf-8")))
        elif extension in code.BY_EXTENSION:
            source = file.read_text("utf-8", "replace")
            for pair in code.pairs(source, code.BY_EXTENSION[extension], file.name):
                yield pair.answer
                if len(pair.question) > SHORTEST:
                    yield pair.question


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield from re.split(r"(?<=[.!?])\s+", value)
    elif isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _strings(one)
