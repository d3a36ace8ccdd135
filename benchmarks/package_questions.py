"""Questions in people's words about packages the bundled model was not trained on.

    python benchmarks/package_questions.py --work DIRECTORY [--driver FILE] [--opt k=v ...]

DIRECTORY is the work directory of `scripts/train_static_model.py`, which holds the archives of the
packages marked `held-out` in its list; they are unpacked below it, once. The 640 questions about 40
of them stand in `data/package_questions.json`, each with the files that answer it; they were
written by reading the sources, before any search was asked. The driver is a program with the
command line of `driver_victor_memory.py`, which it is by default; a peer's does as well. Printed
are NDCG@10 of files for each package and over all questions, every file counted where it is first
found.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "scripts"))

from static_training import archives, registries  # noqa: E402 - the path comes first

QUESTIONS: Final = HERE / "data" / "package_questions.json"
DEPTH: Final = 10


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--driver", type=Path, default=HERE / "driver_victor_memory.py")
    parser.add_argument("--opt", action="append", default=[])
    arguments = parser.parse_args()
    known = {package.name: package for package in registries.listed() if package.held_out}
    rows: defaultdict[str, list[float]] = defaultdict(list)
    for asked in json.loads(QUESTIONS.read_text("utf-8")):
        folder = unpacked(known[asked["package"]], arguments.work, asked.get("left_out", ()))
        answers = ask(arguments.driver, folder / asked["root"], asked["questions"], arguments.opt)
        found = [
            ndcg([one["path"] for one in answer["results"]], files(question))
            for question, answer in zip(asked["questions"], answers, strict=True)
        ]
        print(f"{asked['package']}: {sum(found) / len(found):.3f}", flush=True)
        for question, value in zip(asked["questions"], found, strict=True):
            rows[question["category"]].append(value)
            rows["all"].append(value)
    for category, values in rows.items():
        print(f"NDCG@10, {category} ({len(values)}): {sum(values) / len(values):.4f}")


def unpacked(package: registries.Package, work: Path, left_out: Iterable[str]) -> Path:
    """Return the directory with the files of *package*, less those of the patterns *left_out*."""
    out = work / "unpacked" / package.key
    if out.exists():
        return out
    found = registries.fetch(package, work, frozen=True)
    if not found:
        sys.exit(f"{work} has no archive of {package.name}: run scripts/train_static_model.py.")
    partial = out.with_name(out.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for archive in found:
        archives.unpack(archive, partial)
    for path in [path for pattern in left_out for path in partial.glob(pattern)]:
        if path.is_file():
            path.unlink()
    partial.rename(out)
    return out


def ask(
    driver: Path, root: Path, questions: Sequence[Mapping[str, Any]], options: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the driver's answers to *questions* about the files below *root*."""
    given = [text for option in options for text in ("--opt", option)]
    with tempfile.TemporaryDirectory() as state:
        call = ["--root", str(root), "--state", state, *given]
        program = [sys.executable, str(driver)]
        subprocess.run([*program, "index", *call], check=True, stdout=subprocess.DEVNULL)
        done = subprocess.run(
            [*program, "search", *call, "--queries", "-", "-k", str(DEPTH)],
            input=json.dumps([question["query"] for question in questions]),
            check=True,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def files(question: Mapping[str, Any]) -> list[str]:
    """Return the files that answer *question*."""
    return [*question["relevant"], *question.get("secondary", [])]


def ndcg(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Return the discounted gain of the *wanted* files among the first ten *found*, of the best."""
    places = [found.index(path) for path in wanted if path in found[:DEPTH]]
    best = sum(1 / math.log2(at + 2) for at in range(min(len(wanted), DEPTH)))
    return sum(1 / math.log2(at + 2) for at in places) / best


if __name__ == "__main__":
    main()
