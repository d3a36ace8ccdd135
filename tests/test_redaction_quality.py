"""Redaction on formats written from what issuers publish: nothing gets worse unseen.

The figures of the documentation come from the same program and data, see `docs/redaction.md`.
"""

import importlib.util
import random
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from victor_memory.codebase.secrets import redact_source
from victor_memory.redaction import redact_secrets

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def quality():
    spec = importlib.util.spec_from_file_location(
        "redaction_quality", ROOT / "benchmarks" / "redaction_quality.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


WAYS = {
    "conversation": lambda text: redact_secrets(text).text,
    "source": lambda text: redact_source(text)[0],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("group", "least"), [("tuned", 0.99), ("held-out", 0.97), ("fresh", 0.94)])
def test_secrets_are_found(quality, way, group, least):
    cases = [one for one in quality.secrets(random.Random(5)) if one.group == group]
    missed = Counter(one.name for one in cases if quality.leaks(one.secret, WAYS[way](one.text)))
    assert len(cases) > 400
    assert missed.total() <= (1 - least) * len(cases), missed


@pytest.mark.parametrize("way", WAYS)
def test_what_is_harmless_is_left_alone(quality, way):
    cases = list(quality.harmless(random.Random(5), 2))
    changed = {one.name: WAYS[way](one.text) for one in cases if WAYS[way](one.text) != one.text}
    assert len(cases) > 500
    assert len(changed) <= 2, changed


def test_what_stands_around_a_secret_is_kept(quality):
    for one in quality.secrets(random.Random(6)):
        after, labels = redact_secrets(one.text).text, redact_secrets(one.text).labels
        if quality.leaks(one.secret, after) or "private-key" in labels:
            continue  # of a private key all goes, with what delimits it
        before = one.text[: one.text.index(one.secret)]
        words = re.findall(r"[A-Za-z]{5,}", before.rpartition("\n")[0])
        assert [word for word in words if word not in after] == [], one.name


def test_a_value_is_made_anew_and_the_same_for_the_same_seed(quality):
    one, two = (quality.made("ghp_{alnum:36}", random.Random(seed)) for seed in (1, 2))
    assert one != two
    assert one == quality.made("ghp_{alnum:36}", random.Random(1))
    assert re.fullmatch(r"ghp_[A-Za-z0-9]{36}", one)


def test_no_file_of_formats_holds_what_looks_like_a_secret():
    for path in sorted((ROOT / "tests" / "redaction").glob("*.txt")):
        if path.name == "harmless.txt":
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            pattern = line.split(" | ")[-1]
            assert not re.search(r"(?<![A-Za-z0-9])[A-Za-z0-9]{40,}(?![A-Za-z0-9{])", pattern), line
