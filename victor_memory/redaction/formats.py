"""Formats that their issuers publish: what is delimited, or has a prefix of its own.

A rule here is worth its line where the shape alone (`shapes`) would not tell, or to say in the
label whose key it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from victor_memory.redaction.values import has_digit

Span = tuple[int, int, str]
"""Where a secret begins and ends in a text, and its label."""


BEFORE: Final = 400
AFTER: Final = 1000


@dataclass(frozen=True)
class Rule:
    """One kind of secret. The group `secret` of *pattern* (or all of it) is what goes.

    Only the lines around *hints* (lower case) are searched: that is what makes most texts free. A
    match that begins more than `BEFORE` characters before a hint, or goes on over lines more than
    `AFTER` behind it, needs *whole*. *accept* has the last word on a match. In a rule for a *token*
    each hint is part of a run of characters that `runs` finds. *swift* is for hints that are
    everywhere and a pattern that begins with a sign: then first the whole text is searched.
    """

    label: str
    hints: tuple[str, ...]
    pattern: str
    accept: Callable[[re.Match[str]], bool] | None = None
    flags: int = 0
    whole: bool = False
    token: bool = False
    swift: bool = False

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        # Not before it is needed: most programs never meet most kinds of secrets.
        # ASCII, so that a key ends where the Chinese words around it begin, although no space does.
        return re.compile(self.pattern, self.flags | re.ASCII)

    def find(self, text: str, lowered: str) -> Iterator[Span]:
        """Yield what goes from *text*, which is *lowered* in lower case."""
        pattern = self._compiled
        if self.swift and not pattern.search(text):
            return
        group = "secret" if "secret" in pattern.groupindex else 0
        for first, last in self._stretches(text, lowered):
            for match in pattern.finditer(text, first, last):
                if self.accept is None or self.accept(match):
                    yield (*match.span(group), self.label)

    def _stretches(self, text: str, lowered: str) -> list[tuple[int, int]]:
        """Return where to look, in order and apart; each ends with a line."""
        # A few letters change their length in lower case: then places do not correspond.
        if self.whole or len(text) < BEFORE + AFTER or len(lowered) != len(text):
            return [(0, len(text))]
        found: list[tuple[int, int]] = []
        for hint in self.hints:
            last = 0
            while (at := lowered.find(hint, last)) >= 0:
                first = lowered.rfind("\n", 0, max(0, at - BEFORE)) + 1
                last = lowered.find("\n", at + AFTER)
                last = len(text) if last < 0 else last
                found.append((first, last))
        merged: list[tuple[int, int]] = []
        for first, last in sorted(found):
            if merged and first <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(merged[-1][1], last)
            else:
                merged.append((first, last))
        return merged


def rule(
    label: str,
    hints: Sequence[str] | str,
    pattern: str,
    accept: Callable[[re.Match[str]], bool] | None = None,
    flags: int = 0,
    **more: bool,
) -> Rule:
    """Return the rule of these parts."""
    wanted = (hints,) if isinstance(hints, str) else tuple(hints)
    return Rule(label, wanted, pattern, accept, flags, **more)


def token(
    label: str,
    hints: Sequence[str] | str,
    pattern: str,
    accept: Callable[[re.Match[str]], bool] | None = None,
) -> Rule:
    """Return the rule for a token: *pattern* matches nothing but one, and a hint is part of it."""
    return rule(label, hints, pattern, accept, token=True)


def _digit(match: re.Match[str]) -> bool:
    return has_digit(match["body"])


_END: Final = r"(?![A-Za-z0-9_-])"
_LINES: Final = r"(?:(?:\s|\\[nr]|[>\"'+|,])*[A-Za-z0-9+/=]{16,})*"
"""The base64 lines of a key whose end is missing, as they come in source code and quotations."""
_HEADERS: Final = r"(?:\s*(?:Proc-Type|DEK-Info|Comment|Version|Subject):[^\n]*)*"
FORMATS: Final = (
    rule(
        "private-key",
        "private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:[^-]|-(?!----))*+-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        rf"|{_HEADERS}{_LINES})",
        whole=True,
    ),
    rule(
        "private-key",
        "private key ----",
        r"---- BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY ----"
        r"(?:(?:[^-]|-(?!--- END))*+---- END [A-Z0-9 ]{0,40}"
        rf"PRIVATE KEY ----|{_LINES})",
        whole=True,
    ),
    rule(
        "private-key", "private-lines:", rf"(?i)private-lines: \d+(?P<secret>{_LINES})", whole=True
    ),
    # The first line of a key in base64, as Kubernetes and many variables have it.
    token(
        "private-key",
        "ls0tls1crudjti",
        r"LS0tLS1CRUdJTi(?:B[A-Za-z0-9+/]{2,14})?(?:BSSVZBVEUg|UFJJVkFURS|QUklWQVRF)[A-Za-z0-9+/=]{16,}",
    ),
    token("private-key", "age-secret-key-1", r"(?i)\bAGE-SECRET-KEY-1[0-9A-Z]{40,}"),
    token("jwt", "eyj", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?"),
    token("jwt", "eyj", r"\beyJ[\w-]{12,}\.[\w-]{20,}\.[\w-]{8,}(?:\.[\w-]{4,}){0,2}"),
    token("aws-key", ("akia", "asia", "abia", "acca"), r"\bA(?:KI|SI|BI|CC)A[A-Z0-9]{16}\b"),
    token(
        "github-token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    ),
    token("github-token", "github_pat_", r"\bgithub_pat_\w{22,}"),
    token(
        "gitlab-token",
        [f"gl{one}-" for one in "pat oas dt rt rtr cbt ptt ft imt agent wt soat ffct".split()],
        r"\bgl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|wt|soat|ffct)-[\w.=-]{20,}",
    ),
    rule(
        "slack-token",
        ("xox", "xapp-"),
        r"\bx(?:ox[a-z](?:\.xox[a-z])?|app)-(?:\d-)?[A-Za-z0-9-]{10,}",
    ),
    token("anthropic-key", "sk-ant-", r"(?<![\w-])sk-ant-[\w-]{16,}"),
    token("openai-key", "sk-", r"(?<![\w-])sk-(?P<body>[\w-]{20,})", _digit),
    token("google-key", "aiza", rf"\bAIza[\w-]{{35}}{_END}"),
    token("google-key", ("ya29.", "gocspx-"), r"\b(?:ya29\.|GOCSPX-)[\w-]{20,}"),
    token("azure-secret", "q~", r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~.-])"),
    token(
        "stripe-key",
        ("k_live_", "k_test_", "whsec_"),
        r"\b(?:[rs]k_(?:live|test)|whsec)_[\w+/=]{10,}",
    ),
    token("sendgrid-key", "sg.", r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    token("twilio-key", "sk", r"SK(?<!\wSK)[0-9a-f]{32}\b"),
    token("mailgun-key", "key-", r"\bkey-[0-9a-f]{32}\b"),
    token("databricks-token", "dapi", r"\bdapi[0-9a-f]{32}"),
    rule("telegram-token", ":aa", rf"(?<!\d)\d{{8,10}}:AA[\w-]{{30,}}{_END}"),
    token("vault-token", ("hvs.", "hvb.", "hvr."), r"\bhv[sbr]\.[\w-]{20,}"),
    token("atlassian-token", ("atatt3", "atctt3"), r"\bAT[AC]TT3[\w=-]{20,}"),
    # What a password is stored as: enough to try passwords against.
    rule(
        "password-hash",
        "$",
        r"\$(?:2[abxy]\$\d\d\$[./A-Za-z0-9]{53}"
        r"|(?:5|6|y|apr1|argon2(?:id|i|d)|scrypt|pbkdf2[\w-]*)\$[\w./+=,$-]{20,})",
        swift=True,
    ),
    rule("password-hash", "pbkdf2_sha", r"pbkdf2_sha\d+\$\d+\$[\w./+=$-]{20,}"),
)
