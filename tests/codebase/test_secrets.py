"""No chunk holds a secret, every line stays where it was, and ordinary code stays as it is."""

import re

import pytest

from victor_memory.codebase.chunking import cut
from victor_memory.codebase.secrets import redact_source
from victor_memory.errors import PluginError
from victor_memory.redaction import Redaction, redact_secrets

# Put together here, so that no scanner takes this file for a leak.
LINE = "MIIEpAIBAAKCAQEA7bq9Zx1n" + "Q2w3e4R5t6Y7u8I9" * 2
KEY = "\n".join(
    ["-----BEGIN RSA " + "PRIVATE KEY-----", *[LINE] * 120, "-----END RSA " + "PRIVATE KEY-----"]
)
GITHUB = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
SECRETS = {
    GITHUB: f'client = login("{GITHUB}")',
    "AKIA" + "IOSFODNN7EXAMPLE": 'aws_access_key_id = "AKIA' + 'IOSFODNN7EXAMPLE"',
    "hunter2-x": 'db = "postgres://admin:hunter2-x@db.example.com/app"',
    "correct-horse": 'PASSWORD = "correct-horse"',
    "abcdef0123456789abcdef": 'headers = {"Authorization": "Bearer abcdef0123456789abcdef"}',
    "s3cr3t-9": "# curl -u admin:s3cr3t-9 https://example.com",
    "zx81-spectrum": "deploy --api-key zx81-spectrum",
    "aB3%2FdE5fG7hJ9%3D": 'url = "https://example.com/blob?sv=1&sig=aB3%2FdE5fG7hJ9%3D&se=2"',
    "wJalrXUtnFEMI/K7MDENG": 'secret_access_key: "wJalrXUtnFEMI/K7MDENG"',
    "T00000000/B00000000/XXXXabcd1234XXXX": (
        '"https://hooks.slack.com/services/' + 'T00000000/B00000000/XXXXabcd1234XXXX"'
    ),
}
ORDINARY = '''
import os
from getpass import getpass

SECRET_KEY = os.environ["SECRET_KEY"]
TOKEN_TYPE = "bearer"
password = getpass("password: ")
PASSWORD_FIELD = "user_password_field"
token: str = ""
api_key: str | None = None
tokens = tokenizer.tokenize(text, key="input_ids")
def login(user: str, password: str = "", token: Token | None = None) -> str:
    """Ask https://user:pass@example.com/login for a token; the key is the user's name."""
    if token == self.next_token("identifier"):
        return f"Authorization: Bearer {token}"
    const publicKeyToken = "PublicKeyToken=b03f5f7f11d50a3a"
    let privateKey = await readPrivateKey(file);
    #define CURL_SHA512_256_TOKEN_LENGTH 64
    mkdir -p "$npm_config_prefix/lib/node_modules/npm/package"
    return hashlib.sha256(b"0123456789abcdef0123456789abcdef").hexdigest()
'''


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_goes_and_its_line_stays(secret):
    code = f"def before():\n    pass\n\n{SECRETS[secret]}\n\ndef after():\n    pass\n"
    text, count = redact_source(code)
    assert count == 1
    assert secret not in text
    assert re.search(r"\[redacted:[a-z-]+\]", text.split("\n")[3])
    assert (
        text.split("\n")[:3] + text.split("\n")[4:] == code.split("\n")[:3] + code.split("\n")[4:]
    )


def test_a_key_longer_than_a_chunk_is_in_none_of_them():
    code = f'before = 1\nKEY = """{KEY}"""\n\ndef after():\n    return KEY\n'
    text, count = redact_source(code)
    assert count == 1
    assert text.count("\n") == code.count("\n")
    assert text.split("\n")[-4:] == code.split("\n")[-4:]
    assert any(LINE in one.text for one in cut("a.py", code)[0][1:])
    chunks, _ = cut("a.py", text)
    assert not [one for one in chunks if LINE[:16] in one.text]
    after = next(one for one in chunks if "def after" in one.text)
    assert after.end_line >= code[: code.index("def after")].count("\n") + 1


def test_ordinary_code_is_left_alone():
    assert redact_source(ORDINARY) == (ORDINARY, 0)


def test_the_quick_look_misses_nothing_that_the_rules_find():
    code = ORDINARY + "\n".join(SECRETS.values())
    text, count = redact_source(code)
    assert (text, count) == (redact_secrets(code).text, len(SECRETS))


def test_letters_that_are_longer_in_lower_case_do_not_shift_the_look():
    code = "# " + "İ" * 50 + f'\nPASSWORD = "correct-horse"\n{"x = 1" * 20}\n'
    text, count = redact_source(code)
    assert count == 1
    assert "correct-horse" not in text


def test_redactors_of_plugins_see_every_file_after_the_built_in_one():
    seen = []

    def names(text):
        seen.append(text)
        return Redaction(text.replace("Ada\nLovelace", "[name]"), ("name",) * ("Ada" in text))

    code = f"# by Ada\nLovelace\nx = 1\nk = '{GITHUB}'\ny = 2\n"
    text, count = redact_source(code, [names])
    assert (text, count) == (
        "# by [name]\n\nx = 1\nk = '[redacted:github-token]'\ny = 2\n", 2,
    )  # fmt: skip
    assert GITHUB not in seen[0]


@pytest.mark.parametrize("added", ["\n\nadded\n", "x\ny\nz\n"])
def test_a_redactor_that_adds_lines_moves_nothing(added):
    code = "first\nsecond\nthird\n"
    text, _ = redact_source(code, [lambda text: Redaction(text.replace("second\n", added), ("x",))])
    assert text.count("\n") == 3
    assert text.split("\n")[0].startswith("first")
    assert text.split("\n")[2] == "third"


def test_a_redactor_that_fails_is_an_error():
    def broken(text):
        raise RuntimeError(text)

    with pytest.raises(PluginError):
        redact_source("x = 1\n", [broken])
