import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from victor_memory.errors import PluginError
from victor_memory.redaction import Redaction, redact, redact_secrets
from victor_memory.redaction.formats import FORMATS
from victor_memory.redaction.runs import runs

# Put together here, so that no scanner takes this file for a leak.
BODY = "MIIEpAIBAAKCAQEA7bq9Zx1n" + "Q2w3e4R5t6Y7u8I9" * 3
SECRETS = {
    "private-key": [
        f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n{BODY}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{BODY}\n-----END OPENSSH PRIVATE KEY-----",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{BODY}\n-----END PGP PRIVATE KEY BLOCK-----",
        # The end is missing, and the lines are those of a string in source code.
        f"-----BEGIN PRIVATE KEY-----\\n{BODY}\\n{BODY}",
    ],
    "aws-key": ["AKIA" + "IOSFODNN7EXAMPLE", "ASIA" + "Y34FZKBOKMUTVV7A"],
    "github-token": [
        "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_" + "11ABCDEFG0abcdefghijkl_ABCDEFGHIJ0123456789abcdefghijklmnopqrstuv",
    ],
    "gitlab-token": ["glpat-" + "x7Ab9_cdEfGh-1jKlMnO"],
    "slack-token": ["xoxb-" + "123456789012-1234567890123-abcdefGHIJklmnopqrstuvwx"],
    "webhook": ["https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXabcd1234XXXX"],
    "openai-key": ["sk-proj-" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3z", "sk-" + "a1b2" * 12],
    "anthropic-key": ["sk-ant-api03-" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3z-AA"],
    "google-key": ["AIza" + "SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe"],
    "stripe-key": ["sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"],
    "sendgrid-key": ["SG." + "abcdefghijklmnopqrstuv.ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefg"],
    "telegram-token": ["110201543:AA" + "HdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1"],
    "jwt": [
        "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N_XgL0"
    ],
    "access-token": [
        "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH",
        "npm_" + "abcdefghijklmnopqrstuvwxyz0123456789",
        "dop_v1_" + "0123456789abcdef" * 4,
    ],
}
IN_CONTEXT = [
    ("postgres://admin:{}@db.example.com:5432/app", "hunter2-secret"),
    ("redis://:{}@cache", "p4ss"),
    ("GET https://example.com/blob?sv=1&sig={}&se=2", "aB3%2FdE5fG7hJ9%3D"),
    ("Authorization: Bearer {}", "abcdef0123456789abcdef"),
    ('curl -H "Authorization: Basic {}"', "YWRtaW46aHVudGVyMg=="),
    ("curl -u admin:{} https://example.com", "s3cr3t"),
    ("mysql --user root --password={} app", "hunter2"),
    ("deploy --api-key {} --verbose", "zx81-spectrum"),
    ("DB_PASSWORD={}\nDEBUG=1", "correct-horse-battery"),
    ("export SESSION_SECRET='{}'", "correct-horse"),
    ("STRIPE_KEY={}", "0a1b2c3d4e5f6g7h"),
    ("aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY"),
    ('{{"clientSecret": "{}", "id": 7}}', "Zq8~opaque.value"),
    ("config['api_key'] = '{}'", "qwertyuiop12"),
    ("AccountName=x;AccountKey={};EndpointSuffix=core", "abc123def456ghi789=="),
    ("my password is {} by the way", "hunter2!"),
    ("Contraseña, mot de passe, 密码: password: {}", "pässwörd9"),
]
HARMLESS = [
    "commit 3f786850e387550fdab836ed7e6dc881de23001b fixes the token refresh",
    "image@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    '"integrity": "sha512-abcDEF0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcd=="',
    "request 123e4567-e89b-12d3-a456-426614174000 took 30ms",
    "def login(password: str, token: Token | None = None) -> bool:",
    'token = request.headers["Authorization"]',
    "password = get_password(user); secret = secrets.token_hex(16)",
    "self.api_key = settings.api_key",
    'SECRET_KEY = os.environ["SECRET_KEY"]',
    "API_KEY=${API_KEY}\nOTHER_TOKEN=<your token here>",
    'api_key="your-api-key"',
    "max_tokens=4096, tokenizer: cl100k_base, token_count = 12345678",
    "PRIMARY_KEY=customer_id",
    'grant_type = "client_credentials"; SECRET_BASIC = "client_secret_basic"',
    "the bearer of bad news; basic understanding2023",
    "We decided that the password reset uses JWT tokens and expires in 30min",
    "sk-learn-estimators-for-sparse-input",
    "git clone git@github.com:owner/repo.git && see https://example.com:8080/@scope/pkg",
    "docker run -u 1000:1000 -v /data:/data image",
]


@pytest.mark.parametrize(
    ("label", "secret"), [(label, one) for label, many in SECRETS.items() for one in many]
)
def test_a_known_format_is_removed_wherever_it_stands(label, secret):
    for before, after in (("", ""), ("use ", " now"), ('"', '",'), ("日本", "。")):
        done = redact_secrets(f"{before}{secret}{after}")
        assert secret[len(secret) // 2 :] not in done.text
        assert done.labels == (label,)
        assert done.text.startswith(before)
        assert done.text.endswith(after)


@pytest.mark.parametrize(("text", "secret"), IN_CONTEXT)
def test_a_secret_is_removed_because_of_where_it_stands(text, secret):
    done = redact_secrets(text.format(secret))
    assert secret not in done.text
    before, after = text.replace("{{", "{").replace("}}", "}").split("{}")
    assert done.text == f"{before}[redacted:{done.labels[0]}]{after}"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_secret_is_kept(text):
    assert redact_secrets(text) == Redaction(text)


def test_redacting_twice_changes_nothing_more():
    text = "\n".join([*(one for many in SECRETS.values() for one in many)])
    text += "\n".join(one.format(secret) for one, secret in IN_CONTEXT)
    once = redact_secrets(text).text
    assert redact_secrets(once) == Redaction(once)


@pytest.mark.parametrize(
    "piece",
    ["a", "-", "--", "token ", "password=", "A_KEY=", "-----BEGIN PRIVATE KEY-----", "://a:", "sk-",
     "eyJ", "xai-", "bearer ", "a.b-c", "pass: ", '"', "="],
)  # fmt: skip
def test_a_hostile_text_costs_little(piece):
    text = piece * (100_000 // len(piece))
    start = time.perf_counter()
    redact_secrets(text)
    assert time.perf_counter() - start < 5


def test_each_redactor_sees_what_the_one_before_left():
    def first(text):
        return Redaction(text.replace("alpha", "beta"), ("greek",))

    def second(text):
        assert "alpha" not in text
        return Redaction(text.replace("beta", "-"), ("greek", "more"))

    assert redact("alpha beta", [first, second]) == Redaction("- -", ("greek", "greek", "more"))


def test_a_redactor_that_fails_is_named_and_the_text_is_not_repeated():
    def broken(text):
        raise ValueError(text)

    with pytest.raises(PluginError, match="'broken' failed with ValueError") as failure:
        redact("the launch code is 1234", [broken])
    assert "1234" not in str(failure.value)


def test_a_redactor_that_returns_a_string_is_refused():
    with pytest.raises(PluginError, match=r"'upper' returned str instead .* Redaction\(text"):
        redact("text", [str.upper])


RUN_CHARACTERS = r"[A-Za-z0-9_\-.+/=~%]"


@given(
    st.lists(
        st.sampled_from(["a", "Z9_", "-.+/=~%", " ", "\n", ":", "é", "漢", "\U0001f600", "x" * 15])
    ).map("".join)
)
@example("x" * 16 + " y " + "x" * 15 + "é" + "x" * 17)
def test_runs_are_where_an_expression_finds_them(text):
    found = [match.span() for match in re.finditer(RUN_CHARACTERS + "{16,}", text)]
    assert runs(text) == found


@pytest.mark.parametrize(
    "one", [one for one in FORMATS if one.token], ids=lambda one: "/".join(one.hints[:2])
)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_what_is_looked_for_in_runs_is_found_nowhere_else(one, data):
    pattern = re.compile(one.pattern, one.flags | re.ASCII)
    text = data.draw(st.from_regex(pattern, alphabet=st.characters(max_codepoint=127)))
    for match in pattern.finditer(text):
        tokens = " ".join(text[start:end] for start, end in runs(text)).lower()
        assert any(hint in tokens for hint in one.hints), match[0]


@pytest.mark.parametrize(
    "text",
    [
        "see https://ci:hunter2-x@example.com " + "k" * 3000 + "\nexport A='ghp_" + "16C7e42F" * 5,
        "x = 1\n" * 600 + "url = '/v1?app_id=1&token=a1b2c3d4e5'\n" + "y = 2\n" * 600,
        "a: b\n" * 900 + "svc:1000:alice:ops:hunter2-pony\n" + "c: d\n" * 900,
        "k: v\n" * 900 + "X-Service-Token: a8Fq2LkZ0pWm7Rt5Yx\n" + "k: v\n" * 900,
        "$PATH " * 900 + "\n$2b$12$" + "abcdefghijklmnopqrstuv0123456789ABCDEFGHIJKLMNOPQRSTU",
    ],
)
def test_in_a_long_text_it_is_found_as_alone(text):
    alone = [label for line in text.splitlines() for label in redact_secrets(line).labels]
    assert alone
    assert list(redact_secrets(text).labels) == alone
