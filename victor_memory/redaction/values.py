"""What a value looks like: drawn at random, chosen as a password, put there for the reader, code.

Nothing here knows any vendor. A key drawn at random changes between upper case, lower case and
digits far more often than a name made of words; in one without upper case vowels are rare.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

_CLASSES: Final = str.maketrans(
    {
        **dict.fromkeys("abcdefghijklmnopqrstuvwxyz", "l"),
        **dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "u"),
        **dict.fromkeys("0123456789", "d"),
    }
)
_DIGIT: Final = re.compile(r"\d")
_HEX: Final = re.compile(r"(?:0x)?(?:[0-9a-f]+|[0-9A-F]+)\Z")
UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_BASE58: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{40,}\Z")
_WORDS: Final = re.compile(r"[^\W\d_]+")
_INTERPOLATED: Final = re.compile(
    r"\$[{(A-Za-z_]|\{[\w. ]*\}|\{\{|(?<!\w)%[sd]\b|%\(|^%[A-Za-z_]+%|#\{|<%|<[\w -]+>|@@"
)
_MASKED: Final = re.compile(r"[xX]{4,}|\*{3,}|\.{3}|…|•{2,}|_{4,}|-{4,}")
_REFERENCE: Final = re.compile(
    r"(?:~|\.{1,2})?(?:/[\w.@-]+){2,}/?\Z|[a-z][a-z+]{1,12}://|arn:|vault:|op:|env:|ssm:|sops:|file:|"
    r"secret/|projects/|[a-z]+\d?(?::[a-z][a-z0-9]*)+\Z|(?:application|audio|font|image|text|video)/|[A-Za-z]:\\|\w+\.(?:pem|key|crt|json|ya?ml|txt|env|toml|jks|p12|pfx)\Z"
)
_EXPRESSION: Final = re.compile(
    r"[()\[\]{}<>]|^&?\$?[A-Za-z_]\w*(?:(?:[?!]?\.|->|::)[A-Za-z_]\w*)+[;,?!]?$|::|->|^[!&*]+[A-Za-z_]"
    r"|^(?:u?int|float|var)\w{1,6}$|^(?:this|self|cls)\b|^process\.|^[A-Z][A-Z0-9]*(?:_+[A-Z0-9]+)+$"
    r"|^[A-Z][a-z]+(?:[A-Z][a-z]+)*[?!]?$|^\d\*\w+$|^#[0-9a-fA-F]{3,8}$"
)
_STAND_INS: Final = frozenset(
    "your my our the a an some any this that here goes enter put insert replace with me in "
    "for of value values test tests testing dummy fake sample example examples change "
    "changeme changeit todo tbd fixme foo bar baz qux none null nil true false undefined "
    "redacted removed hidden masked placeholder mock stub default empty string required "
    "optional valid invalid wrong bad good old new expired missing unknown user username "
    "admin root guest demo".split()
)
_SECRET_WORDS: Final = frozenset(
    "pass password passwd passphrase passcode pwd secret secrets token tokens key keys api "
    "apikey access auth private public credential credentials client bearer basic refresh id "
    "identifier session login reset type csrf xsrf oauth jwt header encrypted hashed hash "
    "signing verification confirm confirmation forgot forgotten current authorization "
    "authentication name field".split()
)
_KEYWORDS: Final = frozenset(
    "str string bool boolean int integer number float double any object bytes char void auto "
    "text varchar function optional required undefined unknown never symbol date datetime "
    "secretstr password passwords await async return lambda const static final yes no on off "
    "enabled disabled always prompt ask inherit auto generated managed sensitive".split()
)


def is_hex(value: str) -> bool:
    """Whether *value* is a hexadecimal number with letters and digits."""
    return bool(_HEX.match(value)) and has_digit(value) and any(one.isalpha() for one in value)


def has_digit(value: str) -> bool:
    """Whether there is a digit in *value*."""
    return bool(_DIGIT.search(value))


def is_jumbled(value: str) -> bool:
    """Whether the letters of *value* are of both cases, as no word has them."""
    letters = re.sub(r"[^A-Za-z]", "", value)
    if len(letters) < 6 or letters.islower() or letters.isupper():  # noqa: PLR2004 - too short to tell
        return False
    switches = sum(one.isupper() != two.isupper() for one, two in pairwise(letters)) / len(letters)
    vowels = sum(one in "aeiouAEIOU" for one in letters) / len(letters)
    return switches >= 0.3 and vowels <= 0.3  # noqa: PLR2004 - see the module


def is_random(value: str, *, shortest: int) -> bool:
    """Whether *value* was drawn at random rather than made of words; never if below *shortest*.

    Separators inside are looked through. Hexadecimal numbers and UUIDs count as random: what they
    are for is the caller's question.
    """
    if len(value) < shortest or not has_digit(value):
        return False
    if UUID.match(value) or is_hex(value):
        return True
    kinds = re.sub(r"[^lud]", "", value.translate(_CLASSES))
    if len(kinds) < shortest * 0.8:
        return False
    digits, upper = kinds.count("d"), kinds.count("u")
    letters = len(kinds) - digits
    if letters < 4:  # noqa: PLR2004 - a number, a date, a version
        return False
    switches = sum(one != two for one, two in pairwise(kinds)) / len(kinds)
    if upper and upper < letters:
        runs = max(map(len, re.findall(r"l+", kinds)), default=0)
        return (
            switches >= 0.42  # noqa: PLR2004 - see the module
            or (switches >= 0.33 and digits >= 3 and runs <= 6)  # noqa: PLR2004 - see the module
            or (digits >= 3 and is_jumbled(value))  # noqa: PLR2004 - see the module
        )
    vowels = sum(one in "aeiouAEIOU" for one in value) / letters
    return switches >= 0.15 and digits >= len(kinds) * 0.06 and vowels <= 0.34  # noqa: PLR2004 - see the module


def is_address(value: str) -> bool:
    """Whether *value* may be an address or a content id in base 58, which are public."""
    return bool(_BASE58.match(value))


def is_stand_in(value: str) -> bool:
    """Whether *value* stands for a secret without being one: a mask, a template, an example."""
    if (
        _INTERPOLATED.search(value)
        or _MASKED.search(value)
        or value.startswith(("[", "<", "$", "%"))
    ):
        return True
    words = [one.lower() for one in _WORDS.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", value))]
    if not words:
        return len(set(value)) <= 3  # noqa: PLR2004 - 0000-0000
    if not all(one in _STAND_INS or one in _SECRET_WORDS or one in _KEYWORDS for one in words):
        return False
    digits = sum(one.isdigit() for one in value)
    return not digits or (digits <= 3 and any(one in _STAND_INS for one in words))  # noqa: PLR2004 - test-token-123


def is_reference(value: str) -> bool:
    """Whether *value* says where a secret is: a path, an address, the name of a file."""
    return bool(_REFERENCE.match(value))


def is_expression(value: str) -> bool:
    """Whether *value*, without quotes, is an expression or a type of a program."""
    if value.lower().rstrip(";,?") in _KEYWORDS:
        return True
    if re.fullmatch(r"[A-Z][A-Z0-9]+(?:_+[A-Z0-9]+)+", value):
        return True
    # A password may have a dot in it too; names have few digits.
    few = sum(one.isdigit() for one in value) <= 1 or "32" in value or "64" in value
    return bool(_EXPRESSION.search(value)) and (few or not re.fullmatch(r"[\w.]+\w", value))


def is_password(value: str, *, shortest: int = 6) -> bool:
    """Whether somebody may have chosen *value*: letters with digits or signs, and no stand-in."""
    return (
        len(value) >= shortest
        and not value.isdigit()
        and (has_digit(value) or bool(re.search(r"[!#$%^&*+?@~]", value)))
        and any(one.isalpha() for one in value)
        and not is_stand_in(value)
        and not is_reference(value)
    )
