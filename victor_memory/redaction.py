"""Redaction: what a chain of redactors removes from a text before it is embedded or stored.

A redactor is any callable from a text to a `Redaction`. The built-in one, `redact_secrets`, knows
the public formats of the common providers' keys, and finds the others by where they stand: after
`password=`, in an `Authorization` header, inside a URL. What it removes leaves `[redacted:label]`.

Nothing in here is a guarantee: a secret in an unknown format, in ordinary prose, is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from victor_memory.errors import PluginError


@dataclass(frozen=True, slots=True)
class Redaction:
    """A text without what had to go, and the kinds of things that went, in order."""

    text: str
    labels: tuple[str, ...] = ()


class Redactor(Protocol):
    """Removes what must not be remembered from a text.

    It is called from worker threads, on every text, tag and metadata string, before anything else
    sees them. A redactor that raises keeps the text from being stored.
    """

    def __call__(self, text: str, /) -> Redaction:
        """Return *text* without what had to go; the same text again if nothing had to."""


def redact(text: str, redactors: Iterable[Redactor]) -> Redaction:
    """Return *text* after every one of *redactors*, each given what the one before returned.

    Raises:
        PluginError: a redactor raised, or returned something else than a `Redaction`.

    """
    labels: list[str] = []
    for redactor in redactors:
        name = getattr(redactor, "__name__", type(redactor).__name__)
        try:
            done = redactor(text)
        except Exception as exc:
            # The message of the exception may quote the text: only its type is repeated.
            msg = (
                f"The redactor {name!r} failed with {type(exc).__name__}; nothing was stored. "
                "Repair it, or name its plugin in VICTOR_MEMORY_DISABLED_PLUGINS."
            )
            raise PluginError(msg) from exc
        if not isinstance(done, Redaction):
            msg = (
                f"The redactor {name!r} returned {type(done).__name__} instead of a Redaction; "
                "nothing was stored. Return Redaction(text, labels)."
            )
            raise PluginError(msg)
        text = done.text
        labels.extend(done.labels)
    return Redaction(text, tuple(labels))


# -- the built-in redactor ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rule:
    """One kind of secret. The group `secret` of *pattern* (or all of it) is what goes.

    A text without any of *hints* (lower case) is not searched: that is what makes most texts free.
    *accept* has the last word on a match.
    """

    label: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    accept: Callable[[re.Match[str]], bool] | None = None


_PLACEHOLDER: Final = re.compile(
    r"[\[<${%*.#]|x{3,}|.*(?:\.{3}|…)"
    r"|(?:your|my|some|the|an?|example|dummy|fake|test|change)(?:[-_ ]?(?:[-_ ][a-z]+)*|me)$"
    r"|(?:none|null|nil|true|false|undefined|redacted|placeholder|todo|secret|pass|password|token)$",
    re.IGNORECASE,
)
"""The start of a value that stands for a secret without being one."""
_CODE: Final = re.compile(
    r"[()\[\]{}<>]|^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$|::|->|^(?:u?int|float|var)\w{1,6}$",
    re.IGNORECASE,
)
"""A value that is an expression or a type of a program."""
_NOT_SECRET_NAME: Final = re.compile(
    r"(?:_|\b)(?:id|ids|name|names|path|file|dir|url|uri|type|count|limit|length|len|size|expiry|ttl|"
    r"expires|expires_in|timeout|header|field|version|algorithm|alg|format|policy|budget|usage|max|"
    r"min|hash|hint|prompt|label|class|required|enabled)$",
    re.IGNORECASE,
)
_SECRET_NAME: Final = re.compile(
    r"pass(?:word|wd|phrase|code)?(?![a-z])|pwd(?![a-z])|secret|token(?![a-z])|api_?key|access_?key|"
    r"auth_?key|private_?key|encryption_?key|signing_?key|account_?key|master_?key|credential|"
    r"dsn(?![a-z])",
    re.IGNORECASE,
)


def _random_enough(value: str, *, shortest: int) -> bool:
    """Whether *value* is long, and mixes letters with digits as names and words rarely do."""
    return (
        len(value) >= shortest
        and any(one.isdigit() for one in value)
        and any(one.isalpha() for one in value)
        and not _PLACEHOLDER.match(value)
        and not _CODE.search(value)
    )


def _stated(match: re.Match[str]) -> bool:
    return _random_enough(match["secret"].rstrip(".,;"), shortest=8)


def _phrase(match: re.Match[str]) -> bool:
    return _random_enough(match["secret"].rstrip(".,;!?"), shortest=6)


def _quoted(match: re.Match[str]) -> bool:
    value = match["secret"]
    return not (
        _PLACEHOLDER.match(value)
        or _NOT_SECRET_NAME.search(match["name"])
        # grant_type = "client_secret" speaks of secrets, and holds none.
        or (_SECRET_NAME.search(value) and not _has_digit(match))
    )


def _environment(match: re.Match[str]) -> bool:
    name, value = match["name"], match["secret"]
    if _NOT_SECRET_NAME.search(name) or _PLACEHOLDER.match(value) or _CODE.search(value):
        return False
    if _SECRET_NAME.search(name):
        return not value.isdigit()  # MAX_TOKEN=4096 is a setting
    return name.endswith("KEY") and _random_enough(value, shortest=12)


def _in_url(match: re.Match[str]) -> bool:
    # What stands for a password in an example, as in user:pass@host, is nobody's.
    return not re.match(r"[$<{\[%*]|(?:password|passwd|pass|pwd|secret)$", match["secret"])


def _has_digit(match: re.Match[str]) -> bool:
    return any(one.isdigit() for one in match["secret"])


def _long_or_has_digit(match: re.Match[str]) -> bool:
    value = match["secret"]
    # No word is as long, but a path may be.
    return _has_digit(match) or (len(value) >= 30 and "/" not in value)  # noqa: PLR2004 - longer than any word


def _rule(
    label: str,
    hints: Sequence[str] | str,
    pattern: str,
    accept: Callable[[re.Match[str]], bool] | None = None,
    flags: int = 0,
) -> _Rule:
    wanted = (hints,) if isinstance(hints, str) else tuple(hints)
    # ASCII, so that a key ends where the Chinese words around it begin, although no space does.
    return _Rule(label, wanted, re.compile(pattern, flags | re.ASCII), accept)


_END: Final = r"(?![A-Za-z0-9_-])"
_WORD: Final = (
    r"(?:password|passwd|passphrase|passcode|pwd|secret|token|api[_ -]?key|access[_ -]?key|"
    r"auth[_ -]?key|private[_ -]?key|account[_-]?key|credentials?)"
)
_WORD_HINTS: Final = ("pass", "pwd", "secret", "token", "key", "credential")
_LINES: Final = r"(?:(?:\s|\\[nr]|[>\"'+|,])*[A-Za-z0-9+/=]{16,})*"
"""The base64 lines of a key whose end is missing, as they come in source code and quotations."""

_RULES: Final = (
    # First what is delimited or has a prefix of its own: formats published by who issues them.
    _rule(
        "private-key",
        "private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:[^-]|-(?!----))*+-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        rf"|{_LINES})",
    ),
    _rule("private-key", "private-lines:", rf"(?i)private-lines: \d+(?P<secret>{_LINES})"),
    _rule("private-key", "age-secret-key-1", r"(?i)\bAGE-SECRET-KEY-1[0-9A-Z]{40,}"),
    _rule("jwt", "eyj", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?"),
    _rule("aws-key", ("akia", "asia", "abia", "acca"), r"\bA(?:KI|SI|BI|CC)A[A-Z0-9]{16}\b"),
    _rule(
        "github-token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_[A-Za-z0-9]{30,}"
    ),
    _rule("github-token", "github_pat_", r"\bgithub_pat_\w{22,}"),
    _rule(
        "gitlab-token",
        "gl",
        r"\bgl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|wt|soat|ffct)-[\w.=-]{20,}",
    ),
    _rule("slack-token", ("xox", "xapp-"), r"\bx(?:ox[a-z]|app)-(?:\d-)?[A-Za-z0-9-]{10,}"),
    _rule(
        "webhook",
        ("hooks.slack.com/", "/api/webhooks/", "webhook.office.com/"),
        r"https://(?:hooks\.slack\.com/(?:services|workflows|triggers)/"
        r"|[\w.]*discord(?:app)?\.com/api/webhooks/|[\w.-]+\.webhook\.office\.com/)"
        r"(?P<secret>[\w/@.-]{16,})",
    ),
    _rule("anthropic-key", "sk-ant-", r"(?<![\w-])sk-ant-[\w-]{16,}"),
    _rule("openai-key", "sk-", r"(?<![\w-])sk-(?P<secret>[\w-]{20,})", _has_digit),
    _rule("google-key", "aiza", rf"\bAIza[\w-]{{35}}{_END}"),
    _rule("google-key", ("ya29.", "gocspx-"), r"\b(?:ya29\.|GOCSPX-)[\w-]{20,}"),
    _rule(
        "stripe-key",
        ("k_live_", "k_test_", "whsec_"),
        r"\b(?:[rs]k_(?:live|test)|whsec)_[\w+/=]{10,}",
    ),
    _rule("sendgrid-key", "sg.", r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    _rule("twilio-key", "sk", r"\bSK[0-9a-f]{32}\b"),
    _rule("mailgun-key", "key-", r"\bkey-[0-9a-f]{32}\b"),
    _rule("databricks-token", "dapi", r"\bdapi[0-9a-f]{32}"),
    _rule("telegram-token", ":aa", rf"\b\d{{8,10}}:AA[\w-]{{30,}}{_END}"),
    _rule("vault-token", ("hvs.", "hvb.", "hvr."), r"\bhv[sbr]\.[\w-]{20,}"),
    _rule("atlassian-token", ("atatt3", "atctt3"), r"\bAT[AC]TT3[\w=-]{20,}"),
    _rule(
        "access-token",
        (
            "hf_",
            "npm_",
            "pypi-",
            "gsk_",
            "r8_",
            "xai-",
            "pplx-",
            "dop_v1_",
            "doo_v1_",
            "dor_v1_",
            "shpat_",
            "shpca_",
            "shppa_",
            "shpss_",
            "sq0",
            "lin_api_",
            "ntn_",
            "figd_",
            "glsa_",
            "glc_",
            "pmak-",
            "nrak-",
            "pscale_",
            "sbp_",
            "dckr_pat_",
            "rubygems_",
            "tskey-",
            "dp.",
            "sntrys_",
            "sntryu_",
            "eaac",
            "ltai",
            "nvapi-",
            "fw_",
            "tvly-",
            "fly",
            "pul-",
        ),
        r"(?<![\w-])(?:hf_|npm_|pypi-|gsk_|r8_|xai-|pplx-|do[opr]_v1_|shp(?:at|ca|pa|ss)_|sq0[a-z]{3}-"
        r"|lin_api_|ntn_|figd_|glsa_|glc_|PMAK-|NRAK-|pscale_[a-z]+_|sbp_|dckr_pat_|rubygems_"
        r"|tskey-[a-z]+-|dp\.[a-z]{2,5}\.|sntry[su]_|EAAC|LTAI|nvapi-|fw_|tvly-|FlyV1 fm\d_|pul-)"
        r"(?P<secret>[\w+/=-]{20,})",
        _long_or_has_digit,
    ),
    # Then what is a secret because of where it stands.
    _rule(
        "url-password",
        "://",
        r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]{0,200}:(?P<secret>[^\s/@\"'<>]{1,200})@",
        _in_url,
        re.IGNORECASE,
    ),
    _rule(
        "url-parameter",
        ("sig", "token", "key", "secret", "pass"),
        r"[?&](?:sig|signature|x-amz-signature|x-amz-security-token|access_token|auth_token|token|"
        r"api_?key|key|client_secret|secret|password)=(?P<secret>[^\s&#\"'<>`)\]]{8,})",
        _has_digit,
        re.IGNORECASE,
    ),
    _rule(
        "authorization",
        ("bearer", "auth"),
        r"\b(?:bearer|(?:authorization|auth)\W{1,6}(?:basic|token|digest|apikey))\s+"
        r"(?P<secret>[\w.~+/=:-]{12,})",
        lambda match: _has_digit(match) or match["secret"].endswith("="),
        re.IGNORECASE,
    ),
    _rule(
        "password",
        "-u",
        r"(?:\s-u|--user)[= ]+[\"']?[^\s:'\"]{1,80}:(?P<secret>[^\s'\"]{3,})",
        lambda match: not _PLACEHOLDER.match(match["secret"]) and not match["secret"].isdigit(),
    ),
    _rule(
        "secret",
        "--",
        rf"--[a-z-]{{0,30}}{_WORD}(?:=|\s+)[\"']?(?P<secret>[^\s\"']{{6,}})",
        lambda match: (
            not match["secret"].startswith("-") and not _PLACEHOLDER.match(match["secret"])
        ),
        re.IGNORECASE,
    ),
    _rule(
        "env-value",
        (*_WORD_HINTS, "dsn"),
        r"(?m)^[ \t>$+-]*(?:(?:export|set|ENV|ARG)[ \t]+)?(?P<name>[A-Z][A-Z0-9_]{1,80})"
        r"=[\"']?(?P<secret>[^\s\"'`]{6,})",
        _environment,
    ),
    _rule(
        "secret",
        _WORD_HINTS,
        rf"(?<!publickey)(?P<name>{_WORD}s?(?:(?:[_-]|(?-i:(?=[A-Z0-9])))[A-Za-z0-9]{{1,12}}){{0,3}})[\"'\]]{{0,2}}\s{{0,3}}"
        r"(?:=>|:=|[=:])\s{0,3}[bruf]?(?P<quote>[\"'`])(?P<secret>(?:(?!(?P=quote))[^\s\\]|\\.){6,})"
        r"(?P=quote)",
        _quoted,
        re.IGNORECASE,
    ),
    _rule(
        "secret",
        _WORD_HINTS,
        # An assembly's PublicKeyToken is public.
        rf"(?<!publickey){_WORD}[\"'\]]{{0,2}}\s{{0,3}}(?:=>|:=|[=:])\s{{0,3}}(?P<secret>[^\s\"'`,;&]{{8,}})",
        _stated,
        re.IGNORECASE,
    ),
    _rule(
        "secret",
        _WORD_HINTS,
        rf"\b{_WORD}\s+(?:is|was|will be|to)\s*:?\s+[\"'`]?(?P<secret>[^\s\"'`]{{6,}})",
        _phrase,
        re.IGNORECASE,
    ),
)


def redact_secrets(text: str, /) -> Redaction:
    """Return *text* with every secret that is recognised replaced by `[redacted:label]`.

    >>> redact_secrets("clone https://ci:hunter2@example.com/repo.git").text
    'clone https://ci:[redacted:url-password]@example.com/repo.git'
    """
    lowered, labels = text.lower(), list[str]()
    for rule in _RULES:
        if not any(hint in lowered for hint in rule.hints):
            continue
        text, found = _apply(rule, text)
        labels.extend([rule.label] * found)
    return Redaction(text, tuple(labels))


def _apply(rule: _Rule, text: str) -> tuple[str, int]:
    kept: list[str] = []
    end = 0
    for match in rule.pattern.finditer(text):
        if rule.accept is not None and not rule.accept(match):
            continue
        start, stop = match.span("secret" if "secret" in rule.pattern.groupindex else 0)
        kept += [text[end:start], f"[redacted:{rule.label}]"]
        end = stop
    return "".join([*kept, text[end:]]), len(kept) // 2
