"""Secrets that are secrets because of where they stand: addresses, headers, commands, files."""

from __future__ import annotations

import re
from typing import Final

from victor_memory.redaction.formats import rule
from victor_memory.redaction.values import (
    has_digit,
    is_expression,
    is_password,
    is_random,
    is_stand_in,
)


def _in_url(match: re.Match[str]) -> bool:
    # What stands for a password in an example, as in user:pass@host, is nobody's.
    return not re.match(
        r"[$<{\[%*]|(?:password|passwd|pass|pwd|secret|token|\.{3}|x{3,})$",
        match["secret"],
        re.IGNORECASE,
    )


def _digit(match: re.Match[str]) -> bool:
    return has_digit(match["secret"])


def _real(match: re.Match[str]) -> bool:
    return not is_stand_in(match["secret"]) and not is_expression(match["secret"])


def _real_or_digits(match: re.Match[str]) -> bool:
    return _real(match) and not match["secret"].isdigit()


def _chosen(match: re.Match[str]) -> bool:
    return is_password(match["secret"], shortest=4) and not is_expression(match["secret"])


def _drawn(match: re.Match[str]) -> bool:
    return is_random(match["secret"].rstrip("="), shortest=16) and _real(match)


def _path(match: re.Match[str]) -> bool:
    if re.match(r"(?i)https?://hooks?\.", match[0]):
        return has_digit(match["secret"])
    return any(is_random(one, shortest=7) for one in re.split(r"[/@]", match["secret"]))


def _header(match: re.Match[str]) -> bool:
    value = match["secret"]
    return (has_digit(value) or value.endswith("=")) and not is_stand_in(value)


def _cookie(match: re.Match[str]) -> bool:
    name, value = match["name"].lower(), match["secret"]
    start = match.start()
    line = match.string[max(0, start - 400) : start].rpartition("\n")[2].lower()
    if "cookie" not in line and not re.search(r"\bcurl\b.*\s-b\s", line):
        return False
    named = re.search(r"sess|sid\b|sid$|auth|token|jwt|login|remember|csrf|xsrf|identity", name)
    return is_random(value, shortest=16) or bool(named and len(value) >= 12 and has_digit(value))  # noqa: PLR2004 - ids are shorter


_CREDENTIAL: Final = r"[\w.~+/=:%-]"
PLACES: Final = (
    # -- addresses --
    rule(
        "url-password",
        "://",
        r"://(?<=[a-z0-9]://)[^\s/:@\"'<>]{0,200}:(?P<secret>[^\s/@\"'<>]{1,200})@",
        _in_url,
        re.IGNORECASE,
    ),
    rule(
        "url-password", "://", r"://(?<=[a-z]://)(?P<secret>[\w-]{20,200})@", _drawn, re.IGNORECASE
    ),
    rule(
        "webhook",
        ("hooks.", "/webhook", "/hook/", "/hooks/", "hook."),
        r"https?://(?:hooks\.[\w.-]{1,80}/(?:services|workflows|triggers|hooks/catch)/|[\w.-]{1,80}/(?:[\w.-]{1,60}/){0,8}?"
        r"(?:webhooks?|hooks?|webhookb2)/(?:catch/)?|hook\.[\w.-]{1,80}/)(?P<secret>[\w/@.-]{7,})",
        _path,
        re.IGNORECASE,
    ),
    rule("webhook", "/key/", r"https?://\S{1,200}?/key/(?P<secret>[\w-]{20,})", _digit),
    rule(
        "url-parameter",
        ("sig", "token", "key", "secret", "pass", "pwd", "auth", "appid", "code=", "credential"),
        r"[?&#](?=[\w-]++=)(?:[\w-]{0,40}(?:signature|token|apikey|secret|password|passwd|pwd)|sig|api[_-]?key|key|access[_-]?key|"
        r"[\w-]{0,20}[_-]key|auth|code|app_?id)=(?P<secret>[^\s&#\"'<>`)\]]{8,})",
        lambda match: has_digit(match["secret"]) and not is_stand_in(match["secret"]),
        re.IGNORECASE,
        swift=True,
    ),
    # -- headers --
    rule(
        "authorization",
        ("bearer", "auth"),
        r"(?:\bbearer|(?:authorization|auth)\W{1,6}(?:basic|token|digest|api-?key|splunk|key|negotiate|sso-key)"
        rf"(?:[ \t]+token=)?)[ \t]+\"?(?:token=)?\"?(?P<secret>{_CREDENTIAL}{{12,}})",
        _header,
        re.IGNORECASE,
    ),
    rule(
        "authorization",
        "authorization",
        rf"authorization[\"']?[ \t]*[:=][ \t]*[\"']?(?P<secret>{_CREDENTIAL}{{20,}})",
        _drawn,
        re.IGNORECASE,
    ),
    rule(
        "authorization",
        ("x-", "-token", "-key", "-secret"),
        r"-(?:key|token|secret|auth|signature)[\"']?[ \t]{0,3}:[ \t]{0,3}[\"'`]?"
        rf"(?P<secret>{_CREDENTIAL}{{12,}})",
        _drawn,
        re.IGNORECASE,
        swift=True,
    ),
    rule(
        "cookie",
        ("cookie", "curl "),
        r"(?<=[;:\s\"'])(?P<name>[\w.-]{2,40})=(?P<secret>[^\s;\"',]{12,})",
        _cookie,
    ),
    rule(
        "cookie",
        ("sess", "sid="),
        r"(?P<name>sess(?:ion)?[\w-]{0,8}|(?<![A-Za-z])sid)=(?P<secret>[^\s;\"',&]{12,})",
        _drawn,
        re.IGNORECASE,
    ),
    # -- commands --
    rule(
        "password",
        ("-u", "--user"),
        r"(?:\s-u|--(?:proxy-)?user)[= ]+[\"']?[^\s:'\"]{1,80}:(?P<secret>[^\s'\"]{3,})",
        _real_or_digits,
    ),
    rule("password", "sshpass", r"\bsshpass\s+-p\s*[\"']?(?P<secret>[^\s\"']{3,})", _real),
    rule(
        "password",
        ("mysql", "mariadb", "mongo"),
        r"\b(?:mysql|mariadb|mongo)[\w-]{0,20}\s[^\n|;&]{0,300}?\s-p(?P<secret>[^\s\"'-][^\s\"']{3,})",
        _real,
    ),
    rule(
        "password",
        "login",
        r"\blogin\b[^\n|;&]{0,300}?\s(?:-p|--password)[ =]+[\"']?(?P<secret>[^\s\"']{4,})",
        _real_or_digits,
    ),
    rule(
        "password",
        "redis-cli",
        r"\bredis-cli\b[^\n|;&]{0,300}?\s-a\s+[\"']?(?P<secret>[^\s\"']{4,})",
        _real,
    ),
    rule(
        "password",
        "htpasswd",
        r"\bhtpasswd\s+-\w*b\w*\s+\S+\s+\S+\s+[\"']?(?P<secret>[^\s\"']{4,})",
        _real,
    ),
    rule("password", "pass:", r"\s-pass(?:in|out)?\s+pass:(?P<secret>[^\s\"']{3,})", _real),
    rule(
        "password",
        "securestring",
        r"(?i)ConvertTo-SecureString\s+(?:-String\s+)?[\"'](?P<secret>[^\"'\n]{4,})[\"']",
        _real,
    ),
    # -- statements and files --
    rule(
        "password",
        ("identified", "password '"),
        r"(?i)\b(?:identified\s+(?:with\s+\w+\s+)?by|(?:with|encrypted|user|role)\s+password)\s+'(?P<secret>[^'\n]{4,})'",
        _real,
    ),
    rule(
        "password",
        ":",
        r"(?m):(?<=[\w.*-]:)(?:\d{2,5}|\*):[\w.*-]{1,99}:[\w.*-]{1,99}:(?P<secret>[^\s:]{4,})$",
        _chosen,
        swift=True,
    ),
    rule("secret", "privatekey", r"(?im)^\s*PrivateKey\s*=\s*(?P<secret>[A-Za-z0-9+/]{43}=)"),
    rule(
        "secret",
        '"kty"',
        r"\"(?:d|p|q|dp|dq|qi|k)\"\s*:\s*\"(?P<secret>[\w-]{40,})\"",
    ),
    rule("secret", '"auth"', r"\"auth\"\s*:\s*\"(?P<secret>[A-Za-z0-9+/]{12,}={0,2})\""),
)
