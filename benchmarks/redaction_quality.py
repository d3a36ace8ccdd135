"""How many secrets redaction finds, and how much else it takes for one.

    python benchmarks/redaction_quality.py [--group tuned|held-out|fresh] [--misses] [--seed N]
        [--values N] [--other detect-secrets]

The formats are in `tests/redaction/*.txt`, as patterns of which values are made here, so that no
file holds anything that looks like a key. Each secret with a shape of its own stands in several
texts as in a conversation and as in code; each value without one is assigned to its name in many
syntaxes. Recall is the share of those texts in which nothing of the secret is left; a false alarm
is a harmless text that was changed; precision is the share of secrets among all that was redacted.
"""

from __future__ import annotations

import argparse
import random
import re
import string
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from victor_memory.codebase.secrets import redact_source
from victor_memory.redaction import redact_secrets

DATA: Final = Path(__file__).parents[1] / "tests" / "redaction"
GROUPS: Final = ("tuned", "held-out", "fresh")
PIECE: Final = 8
"""As many characters of a secret in a row are a leak; of a shorter one, all of it."""

ALPHABETS: Final = {
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "digits": string.digits,
    "alpha": string.ascii_letters,
    "loweralpha": string.ascii_lowercase,
    "alnum": string.ascii_letters + string.digits,
    "loweralnum": string.ascii_lowercase + string.digits,
    "b64": string.ascii_letters + string.digits + "+/",
    "b64url": string.ascii_letters + string.digits + "-_",
    "b32": string.ascii_uppercase + "234567",
    "B32": string.ascii_uppercase + "234567",
    "b58": "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
    "bech32": "qpzry9x8gf2tvdw0s3jn54khce6mua7l",
    "nix32": "0123456789abcdfghijklmnpqrsvwxyz",
}
WORDS: Final = (
    "falcon orchard velvet copper lantern meadow tundra saddle pepper marble harbor violet "
    "thunder pillow cactus ribbon walnut beacon glacier mustard"
).split()
SIGNS: Final = "!#%*+-_.?="
ANYWHERE: Final = (
    "I still get a 401 with {}, any idea why?",
    "{}",
    "use `{}` for staging",
    "That was it: {}.\nNow it works.",
    '{{"value": "{}", "n": 1}}',
    'client = Client("{}")\nclient.connect()\n',
    "const client = create('{}', {{ retries: 3 }});\n",
    "zorb login {} --yes",
    "- {}\n- next item",
)
NAMED: Final = (
    "{name}={value}\nDEBUG=1\n",
    'export {name}="{value}"\n',
    '{{"{name}": "{value}", "retries": 3}}',
    "{name}: {value}\nretries: 3\n",
    '{name}: "{value}"\n',
    '{name} = "{value}"\n',
    "{name} = '{value}'\n",
    'connect({name}="{value}", retries=3)\n',
    "const options = {{ {name}: '{value}', retries: 3 }};\n",
    '$config["{name}"] = "{value}";\n',
    "'{name}' => '{value}',\n",
    "<{name}>{value}</{name}>\n",
    '<property name="{name}" value="{value}"/>\n',
    "deploy --{flag} {value} --verbose",
    "deploy --{flag}={value}",
    "GET /v1/things?{name}={value}&page=2",
    "curl -H '{name}: {value}' https://example.com/v1",
    "the {name} is {value}",
    "{name}: `{value}`",
    "ENV {name} {value}\n",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One text. *secret* is what must not be left of it; a harmless one has none."""

    group: str
    name: str
    text: str
    secret: str | None = None


def made(pattern: str, rng: random.Random) -> str:
    """Return *pattern* with a value in place of each `{alphabet:length}`."""

    def value(match: re.Match[str]) -> str:
        kind, _, size = match[1].partition(":")
        count = int(size or 0)
        if kind == "uuid":
            return "-".join(_some(rng, "hex", n) for n in (8, 4, 4, 4, 12))
        if kind == "word":
            return rng.choice(WORDS)
        if kind == "bip39":
            return " ".join(rng.choice(WORDS) for _ in range(12))
        if kind == "password":
            parts = [rng.choice(WORDS).title(), _some(rng, "digits", 2), rng.choice(SIGNS)]
            return "".join([*parts, _some(rng, "alnum", 3)])
        if kind == "pem":
            return "\n".join(_some(rng, "b64", 64) for _ in range(count))
        return _some(rng, kind, count)

    known = "|".join([*ALPHABETS, "uuid", "word", "bip39", "password", "pem"])
    return re.sub(rf"\{{((?:{known})(?::\d+)?)\}}", value, pattern)


def _some(rng: random.Random, kind: str, count: int) -> str:
    while True:
        found = "".join(rng.choice(ALPHABETS[kind]) for _ in range(count))
        # Random letters without a single digit are rare, and no vendor's key looks like that.
        if count < 16 or kind in ("alpha", "loweralpha") or any(c.isdigit() for c in found):
            return found


def rows(name: str) -> Iterator[list[str]]:
    """Yield the fields of each line of the file *name*."""
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield [field.strip() for field in line.split(" | ")]


def secrets(rng: random.Random, values: int = 1) -> Iterator[Case]:
    """Yield every text with a secret, with *values* values of each format."""
    for group, name, where, *rest in rows("secrets.txt"):
        pattern = " | ".join(rest)
        for _ in range(values):
            value = made(pattern, rng)
            if where == "anywhere":
                for context in ANYWHERE:
                    yield Case(group, name, context.format(value), value)
            else:
                called = where.removeprefix("named ")
                flag = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", called).lower()
                flag = re.sub(r"[._]", "-", flag)
                for context in NAMED:
                    if " " in value and not re.search(r"[\"'`]\{value\}|>\{value\}<", context):
                        continue  # without quotes nobody could tell where it ends
                    text = context.format(name=called, value=value, flag=flag)
                    yield Case(group, name, text, value)
    for group, name, *rest in rows("secret_texts.txt"):
        for _ in range(values):
            text = made(" | ".join(rest), rng).replace("\\\\", "\0").replace("\\n", "\n")
            before, _, after = text.replace("\0", "\\").partition("⟦")
            secret, _, end = after.partition("⟧")
            yield Case(group, name, before + secret + end, secret)


def harmless(rng: random.Random, values: int = 1) -> Iterator[Case]:
    """Yield every text without a secret, alone and among words."""
    for group, name, *rest in rows("harmless.txt"):
        for _ in range(values):
            text = made(" | ".join(rest), rng).replace("\\\\", "\0").replace("\\n", "\n")
            text = text.replace("\0", "\\")
            yield Case(group, name, text)
            yield Case(group, name, f"Then we looked at this:\n{text}\nand went on.")


def leaks(secret: str, text: str) -> bool:
    """Whether *text* has a piece of *secret*."""
    if len(secret) <= PIECE:
        return secret in text
    return any(secret[at : at + PIECE] in text for at in range(len(secret) - PIECE + 1))


def detect_secrets(text: str) -> str:
    """Return *text* without what the package detect-secrets finds in it, for comparison."""
    from detect_secrets.core.scan import scan_line  # type: ignore[import-not-found, unused-ignore]
    from detect_secrets.settings import (  # type: ignore[import-not-found, unused-ignore]
        default_settings,
    )

    with default_settings():
        for line in text.splitlines():
            for found in scan_line(line):
                if found.secret_value:
                    text = text.replace(found.secret_value, "[redacted]")
    return text


def measure(
    clean: Callable[[str], str], group: str, seed: int, values: int, *, misses: bool
) -> None:
    """Print how *clean* does on the formats of *group*."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    found: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    shown: set[str] = set()
    for case in secrets(rng, values):
        if case.group != group or case.secret is None:
            continue
        total[case.name] += 1
        after = clean(case.text)
        if leaks(case.secret, after):
            if misses and case.name not in shown:
                shown.add(case.name)
                print(f"  miss  {case.name}: {case.text[:150]!r}")
        else:
            found[case.name] += 1
    alarms = kept = 0
    for case in harmless(rng, values):
        if case.group != group:
            continue
        after = clean(case.text)
        kept += 1
        if after != case.text:
            alarms += 1
            if misses:
                print(f"  alarm {case.name}: {after[:150]!r}")
    hits, texts = sum(found.values()), sum(total.values())
    formats = sum(found[one] / total[one] for one in total) / max(1, len(total))
    whole = sum(found[one] == total[one] for one in total)
    print(
        f"  {group:9} recall {hits / max(1, texts):.3f} of {texts} texts, {formats:.3f} by format "
        f"({whole} of {len(total)} in every text); precision {hits / max(1, hits + alarms):.3f}; "
        f"false alarms {alarms} of {kept} harmless texts"
    )


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--group", choices=GROUPS, action="append")
    parser.add_argument("--misses", action="store_true", help="Show what went wrong.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--values", type=int, default=3, help="Values made of each format.")
    parser.add_argument("--other", choices=["detect-secrets"], help="Measure this too.")
    given = parser.parse_args()
    ways: dict[str, Callable[[str], str]] = {
        "conversation": lambda text: redact_secrets(text).text,
        "source code": lambda text: redact_source(text)[0],
    }
    if given.other:
        ways[given.other] = detect_secrets
    for way, clean in ways.items():
        print(way)
        for group in given.group or GROUPS:
            measure(clean, group, given.seed, given.values, misses=given.misses)


if __name__ == "__main__":
    main()
