"""Tokens that give themselves away by their own shape, whoever issues them.

Issuers put a prefix before what they draw at random: words that say what it is (`zorb_live_`,
`pat-`, `sk_`), or a name of their own. A token is taken if what follows is random and what goes
before speaks of secrets, or if it is too long and too well mixed to be the id of something. Hashes,
digests, object ids, addresses, file names, encoded images and public keys are not taken.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

from victor_memory.redaction.formats import Span
from victor_memory.redaction.runs import SHORTEST
from victor_memory.redaction.values import (
    UUID,
    has_digit,
    is_address,
    is_hex,
    is_jumbled,
    is_random,
)

_KNOWN: Final = re.compile(
    r"(?:hf|npm|gsk|r8|do[opr]_v1|shp(?:at|ca|pa|ss)|lin_api|ntn|figd|gls?[ac]|sbp|dckr_pat|rubygems"
    r"|sntry[su]|pscale_[a-z]+)_(?=\w{20})|(?:pypi|xai|pplx|PMAK|NRAK|nvapi|tvly|pul|sq0[a-z]{3}"
    r"|tskey-[a-z]+)-(?=[\w-]{20})|dp\.[a-z]{2,5}\.(?=\w{20})|(?:EAAC|LTAI|gAAAAAB)(?=[\w-]{16})"
    r"|(?:fw|re)_(?=[A-Za-z0-9]{8,}[A-Z0-9])(?=\w{20})|fc-(?=[0-9a-f]{32}\b)|oy2(?=[a-z0-9]{43}\b)"
    r"|K00\d(?=[\w+/]{27}\b)|nsec1(?=[a-z0-9]{50})|xprv(?=\w{90})|amzn\.mws\.(?=[0-9a-f-]{36})"
    r"|amzn1\.oa2-cs\.v1\.(?=\w{20})|s\.(?=[A-Za-z0-9]{24}\b)|A3-(?=[A-Z0-9]{6}-[A-Z0-9]{6}-)"
    r"|[0-9a-f]{32}-us(?=\d{1,2}\b)|[0-9a-f]{36}(?=NRAL\b)"
)
"""Prefixes that issuers publish."""
LONGEST_BARE: Final = 200
"""Characters of the longest token without a prefix: longer ones are encoded data."""
BARE: Final = 32
WORDLESS: Final = 26
"""Characters of the shortest token without a digit, which needs a known prefix."""
TAIL: Final = 26
"""Random characters after a prefix that says nothing: ids have up to 24."""
_TOKEN: Final = re.compile(rf"[A-Za-z0-9][\w\-.+/=~%]{{{SHORTEST - 1},}}+", re.ASCII)
_DIGIT: Final = re.compile(r"[0-9]")
_HEAD: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9]{0,13}[_.-]|\d[_.-](?=\d*[a-z])){1,5}", re.ASCII)
_SPLIT: Final = re.compile(r"[_.\-]+|(?<=[a-z])(?=[A-Z])")
_SECRET: Final = frozenset(
    "sk rk ak key keys apikey tok token tkn pat secret sec auth oauth pw pwd pass cred creds "
    "uat oat access refresh bot sa svc svcacct personal bearer session priv private csk rw "
    "admin".split()
)
"""Parts of a prefix that say that a secret follows."""
_MODE: Final = frozenset("live test prod production sandbox staging dev stg".split())
_DIGESTS: Final = frozenset(
    "sha sha1 sha2 sha224 sha256 sha384 sha512 md5 hash digest checksum".split()
)
_HASH: Final = frozenset(
    "blake2b blake3 integrity h1 rev commit git blob tree ref etag fingerprint crc sri "
    "modules module cache hit main master branch linux macos windows ubuntu darwin node pip "
    "npm yarn cargo".split()
)
_ID: Final = frozenset(
    "id ids uid uuid guid gid obj object file img image chunk index vendor vendors bundle cus "
    "price prod sub pi pm ch in ii evt req res resp msg call run step thread asst chatcmpl "
    "cmpl gen toolu item rs fc user usr org team acct account page block doc node layer trace "
    "span event job task build deploy release subnet vpc ami snap vol eni igw acl rtb "
    "eipalloc arn pod class style css root card page".split()
)
_PUBLIC: Final = ("iVBORw0KGgo", "R0lGOD", "/9j/", "UklGR", "d09G", "JVBERi0", "PHN2Zy", "MII",
                  "AAAAB3Nza",
                  "AAAAC3Nza", "AAAAE2Vj", "AAEAAAA", "T1RUTw", "UEsDB", "H4sIA", "AGFzbQ",
                  "eyJ2ZXJzaW9u", "AAAA,", "Qm", "bafy", "_ZN", "PGh0bWw", "PD94bW")  # fmt: skip
"""How images, fonts, certificates, public keys, archives and content ids begin in base64."""
_BEFORE: Final = re.compile(
    r"(?:sha\d{1,3}|md5|h1|integrity|checksum|digest|hash|etag|commit|rev|fingerprint|base64,|data:\S*|"
    r"ssh-\w+|ecdsa-\S+|mappings)[\"'`]?\s*[:=,/]?\s*[\"'`]?(?:W/)?\"?\Z",
    re.IGNORECASE,
)
_GROUPS: Final = re.compile(r"[A-Z0-9]{2,8}(?:-(?=[A-Z0-9]*[A-Z])[A-Z0-9]{5,8}){3,}\Z")
"""A key to be typed in, as for a licence."""
_NUMBERED: Final = re.compile(r"[A-Z]{1,4}[0-9a-f]{32,}\Z|v?\d+\.\d+")
"""Ids that are a hexadecimal number after some letters, and versions."""
_VERSION: Final = re.compile(r"v?\d+\.\d+\.\d+")
_FILE_END: Final = re.compile(r"\.[a-z][a-z0-9]{0,5}\Z")
_LOOK_BACK: Final = 24


def find(text: str, among: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """Yield the tokens of *text* that are keys by their shape; *among* are its `runs`."""
    for first, last in among:
        if not _DIGIT.search(text, first, last) and last - first < WORDLESS:
            continue  # nearly all of source code
        match = _TOKEN.search(text, first, last)
        if not match or not (has_digit(match[0]) or _KNOWN.match(match[0])):
            continue
        token = match[0].rstrip(".=-%/+~")
        if len(token) < SHORTEST:
            continue
        start = match.start()
        if _is_known(token, text, start):
            yield start, match.end() - len(match[0]) + len(match[0].rstrip(".")), "access-token"
            continue
        if not has_digit(token):
            continue
        if _is_key(token, text, start):
            end = start + len(match[0].rstrip("."))
            yield start, end, "access-token"
            continue
        # An assignment, or a path: its parts are tokens too.
        at = start
        for part in re.split(r"[=/]", token) if re.search(r"[=/]", token) else ():
            if len(part) >= SHORTEST and text[at - 1 : at] != "/" and _is_key(part, text, at):
                yield at, at + len(part), "access-token"
            at += len(part) + 1


def _is_known(token: str, text: str, start: int) -> bool:
    """Whether *token* begins as the keys of an issuer do, and goes on as no word or path does."""
    if not _KNOWN.match(token) or (text[start - 1 : start] or " ") in "_-/":
        return False
    return has_digit(token) or (len(token) >= WORDLESS and "/" not in token)


def _is_key(token: str, text: str, start: int) -> bool:
    if (
        "=" in token
        or _VERSION.match(token)
        or _is_path(token)
        or _FILE_END.search(token)
        or UUID.match(token)
        or _in_place(text, start, token)
    ):
        return False
    head = _HEAD.match(token)
    while head and head.end() >= len(token):
        head = None
    words, tail = _parted(token, head.end() if head else 0)
    if _GROUPS.match(token) and len(re.findall(r"\d", token)) > 1:
        return True
    if words & _DIGESTS or (words & _HASH and not words & _SECRET):
        return False
    plain = re.sub(r"[_.\-~%/+]", "", tail)
    secret = words & _SECRET or (words & _MODE and "_" in token)
    if secret and not words & (_ID - {"prod", "user", "admin"}):
        return _is_random_tail(tail, 14)
    if words and not words & _ID:
        return _is_long_tail(token, tail, plain)
    return not words and _is_bare(token)


def _is_path(token: str) -> bool:
    """Whether *token* is a path; what is random in base 64 has slashes too."""
    if "/" not in token:
        return False
    parts = token.split("/")
    return (
        len(token) < 2 * SHORTEST
        or any(re.fullmatch(r"[a-z]{4,}|[A-Za-z]*[a-z]+[-_.][a-z_.-]+", one) for one in parts)
        or not is_random(token.replace("/", ""), shortest=SHORTEST)
    )


def _parted(token: str, end: int) -> tuple[set[str], str]:
    """Return the words before what is random in *token*, in lower case, and the rest."""
    head = token[:end]
    pieces = [one for one in re.split(r"(?<=[_.\-])", head) if one]
    # What looks like a word may be the beginning of what is random.
    bare = (one.rstrip("_.-") for one in pieces)
    worded = itertools.takewhile(
        lambda one: not is_random(one, shortest=8) and not is_jumbled(one), bare
    )
    head = "".join(pieces[: len(list(worded))])
    words = {one.lower() for one in _SPLIT.split(head) if one}
    return words, token[len(head) :]


def _is_random_tail(tail: str, shortest: int) -> bool:
    if UUID.match(tail):
        return True
    pieces = [one for one in re.split(r"[_.\-~]", tail) if one]
    longest = max(pieces, key=len, default="")
    if len(longest) >= shortest and is_random(longest, shortest=shortest):
        return True
    if len(longest) >= shortest + 6 and has_digit(longest) and is_jumbled(longest):
        return True
    # Random letters of the URL alphabet have separators among them.
    mixed = bool(re.search(r"[a-z]", tail)) and bool(re.search(r"[A-Z]", tail))
    return mixed and len(longest) >= 6 and is_random(tail, shortest=shortest + 4)  # noqa: PLR2004 - a slug's words are shorter together


def _is_long_tail(token: str, tail: str, plain: str) -> bool:
    """Whether *tail* is too long and random for an id, after a prefix that says nothing."""
    mixed = bool(re.search(r"[a-z]", plain)) and bool(re.search(r"[A-Z]", plain))
    if is_hex(plain):
        if len(plain) >= 40 and len(re.findall(r"[0-9a-f]{10,}", tail)) > 1:  # noqa: PLR2004 - no hash has two
            return True
        joint = token[: len(token) - len(tail)]
        return len(plain) in (32, 40, 64) and joint.endswith("_") and len(joint) <= 7  # noqa: PLR2004 - sgp_ and its like
    if mixed:
        return len(plain) >= TAIL and _is_random_tail(tail, TAIL - 2)
    longest = max(re.split(r"[_.\-~]", tail), key=len)
    return len(longest) >= TAIL and is_random(longest, shortest=TAIL)


def _is_bare(token: str) -> bool:
    """Whether *token*, which has no prefix, is a key and nothing public."""
    if len(token) < BARE or len(token) > LONGEST_BARE or is_address(token):
        return False
    if sum(one.isdigit() for one in token) < 3 or _NUMBERED.match(token):  # noqa: PLR2004 - a name has one or two
        return False
    plain = re.sub(r"[_.\-~%/+]", "", token)
    mixed = bool(re.search(r"[a-z]", plain)) and bool(re.search(r"[A-Z]", plain))
    return mixed and not is_hex(plain) and is_random(plain, shortest=BARE - 4)


def _in_place(text: str, start: int, token: str) -> bool:
    """Whether what *token* begins with, or stands before or after it, says that it is public."""
    if token.startswith(_PUBLIC):
        return True
    before = text[max(0, start - _LOOK_BACK) : start]
    after = text[start + len(token) : start + len(token) + 1]
    if (
        after == "@"
        or before.endswith(("/", "<", "://", "\\", "0x", "#", "&lt;"))
        or _BEFORE.search(before)
    ):
        return True
    return bool(before) and (before[-1].isalnum() or before[-1] == "_")
