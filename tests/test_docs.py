"""The documentation says what the code does: tables are generated, blocks run, names are all there."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from victor_memory.catalogue import BUILTIN_PROVIDERS
from victor_memory.cli.app import app
from victor_memory.embedders.catalogue import BUILTIN_EMBEDDERS
from victor_memory.plugins import HOOKS
from victor_memory.settings import MemorySettings, variable
from victor_memory.tools import TOOLS

ROOT = Path(__file__).parent.parent
DOCS = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md"])
EXAMPLE = ROOT / "examples" / "third_party_provider"


def text(*names):
    return "\n".join(path.read_text(encoding="utf-8") for path in DOCS if path.name in names)


def test_generated_tables_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "generate_docs.py", "--check"],
        capture_output=True, text=True, check=False, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout} Run: python scripts/generate_docs.py"


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("configuration.md", [variable(name) for name in MemorySettings.model_fields]),
        ("configuration.md", [f"`{one.name}`" for one in BUILTIN_EMBEDDERS]),
        ("stores.md", [f"`{one.name}`" for one in BUILTIN_PROVIDERS]),
        ("hooks.md", HOOKS),
        ("getting-started.md", [f"`{tool.name}`" for tool in TOOLS]),
        (
            "json-output.md",
            [
                f"`{command.callback.__name__.strip('_').replace('_', '-')}`"
                for command in app.registered_commands
            ],
        ),
    ],
)
def test_every_name_is_documented(page, names):
    assert names
    assert [name for name in names if name not in text(page)] == []


def test_every_extra_is_documented():
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = pyproject.split("[project.optional-dependencies]")[1].split("\n[")[0]
    extras = re.findall(r"^([a-z-]+) = ", section, re.MULTILINE)
    shown = text("configuration.md", "stores.md", "getting-started.md")
    assert [one for one in extras if one not in shown] == []


def blocks(path, language):
    found = re.findall(
        rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [textwrap.dedent(one) for one in found]


PYTHON = [
    pytest.param(block, id=f"{path.name}-{number}")
    for path in DOCS
    if path.name != "write-a-store.md"
    for number, block in enumerate(blocks(path, "python"))
]


@pytest.mark.parametrize("block", PYTHON)
def test_python_blocks_run(block, tmp_path):
    (tmp_path / "auth.py").write_text(
        "def check_token(token):\n    return token.valid\n", encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        capture_output=True, text=True, check=False, encoding="utf-8", cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_blocks_of_the_tutorial_are_the_example():
    sources = "".join(
        path.read_text(encoding="utf-8") for path in sorted(EXAMPLE.rglob("*.py"))
    ) + (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")
    page = ROOT / "docs" / "write-a-store.md"
    found = [
        *re.findall(
            r"^```(?:python|toml)\n(.*?)^```",
            page.read_text(encoding="utf-8"),
            re.MULTILINE | re.DOTALL,
        )
    ]
    assert len(found) >= 8
    assert [block for block in found if _unindented(block) not in _unindented(sources)] == []


def _unindented(code):
    # A block of a page is formatted like a file of its own: it loses the indentation of its class.
    return "\n".join(line.strip() for line in code.strip().splitlines() if line.strip())


def test_links_between_pages_lead_somewhere():
    for path in DOCS:
        for target in re.findall(r"\]\((?!http)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} -> {target}"


def test_no_module_is_a_maze():
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / "victor_memory").rglob("*.py")
    }
    assert {str(path): count for path, count in lengths.items() if count > 400} == {}
