"""What makes two memories the same: the id is a digest of it."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import Final

from victor_memory.errors import InvalidRequestError

_VERSION: Final = 1
"""Part of every id: to be raised if what makes two memories the same ever changes."""


def identity(text: str, *place: object) -> str:
    """Return the digest of what makes a memory the same as another: white space does not."""
    parts = json.dumps([_VERSION, *place, normal(text)], ensure_ascii=False)
    try:
        return hashlib.sha256(parts.encode()).hexdigest()[:32]
    except UnicodeEncodeError as exc:
        msg = (
            "The text or one of its names holds a lone surrogate, which no store can keep. "
            "Decode its source with errors='replace'."
        )
        raise InvalidRequestError(msg) from exc


def normal(text: str) -> str:
    """Return *text* in one form of its characters, and single spaces for all white space."""
    return " ".join(unicodedata.normalize("NFC", text).split())
