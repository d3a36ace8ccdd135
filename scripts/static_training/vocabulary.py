"""The model's tokenizer: the teacher's word pieces, and the words that code and its prose add."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

WORD_INSIDE_WORD: Final = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
"""Where `parseHTTPRequest` is cut, before the tokenizer lowers its case."""
WORD: Final = re.compile(r"[a-z][a-z0-9]*")
CUT: Final = re.compile(WORD_INSIDE_WORD)
UNKNOWN: Final = "[UNK]"
LONGEST_WORD: Final = 20


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Return how many of *texts* hold each word, as the tokenizer cuts words."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(set(WORD.findall(CUT.sub(" ", text).lower())))
    return counts


def build(teacher_tokenizer: Path, counts: Counter[str], size: int) -> Any:
    """Return a tokenizer of *size* pieces: the teacher's English ones, then the commonest words.

    Pieces of other alphabets go. A word already whole in the teacher's vocabulary stays; one that
    the teacher cuts into pieces gets a piece of its own, by how many texts hold it.
    """
    from tokenizers import Regex, Tokenizer, normalizers

    specification = json.loads(teacher_tokenizer.read_text("utf-8"))
    teacher: dict[str, int] = specification["model"]["vocab"]
    kept = [x for x in sorted(teacher, key=lambda x: teacher[x]) if _is_kept(x)]
    known = set(kept)
    added = [
        word
        for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if word not in known and 1 < len(word) <= LONGEST_WORD and not word.isdigit()
    ][: size - len(kept)]
    pieces = [UNKNOWN, *kept, *added]
    specification["model"]["vocab"] = {piece: at for at, piece in enumerate(pieces)}
    specification["added_tokens"] = []
    specification["post_processor"] = None
    specification["truncation"] = specification["padding"] = None
    tokenizer = Tokenizer.from_str(json.dumps(specification))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(WORD_INSIDE_WORD), " "), tokenizer.normalizer]
    )
    return tokenizer


def _is_kept(piece: str) -> bool:
    return piece.isascii() and not piece.startswith("[")
