"""The real host in processes of its own, each with a home, a project and a memory of its own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SITECUSTOMIZE = """\
import os
import pwd

_real, _home = pwd.getpwuid, os.environ["HOME"]


def _getpwuid(uid):
    entry = _real(uid)
    return pwd.struct_passwd((*entry[:5], _home, *entry[6:]))


pwd.getpwuid = _getpwuid  # the host believes this entry, and not HOME
"""
SECRET = "ghp_" + "a1B2" * 9
FILES = {
    "billing/rounding.py": '"""Money."""\n\n\ndef round_to_cents(amount):\n    """Round half to even, as auditors want it."""\n    return round(amount, 2)\n',
    "billing/invoice.py": "from billing.rounding import round_to_cents\n\n\ndef total(lines):\n    return round_to_cents(sum(lines))\n",
    "mail/sender.py": "def send(address, text):\n    raise NotImplementedError(address, text)\n",
}


def pytest_configure(config):
    config.addinivalue_line("markers", "victor_host: needs victor-ai; `tox -e victor-host` has it")


def pytest_collection_modifyitems(items):
    try:
        importlib.metadata.version("victor-ai")
        missing = None
    except importlib.metadata.PackageNotFoundError:
        missing = pytest.mark.skip(reason="victor-ai is not installed: tox -e victor-host")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.victor_host)
            if missing is not None:
                item.add_marker(missing)


def _module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Host:
    """Where the host's processes live."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def project(self) -> Path:
        return self.root / "shop"

    @property
    def embeddings(self) -> Path:
        return self.root / "embeddings"

    @property
    def shim(self) -> Path:
        return self.home / ".victor" / "plugins" / "victor_memory" / "plugin.py"

    def environment(self, **more: str) -> dict[str, str]:
        kept = {
            key: one for key, one in os.environ.items() if not key.startswith(("VICTOR", "OLLAMA"))
        }
        return {
            **kept,
            "HOME": str(self.home),
            "PYTHONPATH": str(self.root / "path"),
            "VICTOR_EMBEDDINGS_DIR": str(self.embeddings),
            "VICTOR_SKIP_ENV_FILE": "1",
            **more,
        }

    def run(
        self, *command: str, status: int | None = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.project,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
            check=False,
        )
        assert status is None or done.returncode == status, f"{done.stdout}\n{done.stderr}"
        return done

    def program(self, code: str, *arguments: str, **environment: str) -> Any:
        """Run *code*, whose last words to stdout are JSON, in the project."""
        done = self.run("-c", code, *arguments, **environment)
        return json.loads(done.stdout.splitlines()[-1])

    def cli(self, *arguments: str, status: int | None = 0, **environment: str) -> str:
        done = self.run("-m", "victor_memory", *arguments, status=status, **environment)
        return done.stdout + done.stderr

    def agent(self, message: str, url: str, **environment: str) -> dict[str, Any]:
        """Have one agent answer *message*; return what is known of it."""
        done = self.run(
            str(HERE / "programs" / "agent.py"), message,
            OLLAMA_HOST=url, OLLAMA_ENDPOINTS=url, **environment,
        )  # fmt: skip
        return json.loads(done.stdout.splitlines()[-1])

    def imported(self, turns: int, seconds: float = 100.0) -> dict[str, Any]:
        """Wait until so many *turns* were read, or that failed; return the state."""
        end = time.monotonic() + seconds
        while True:
            states = list((self.embeddings / "hosts" / "victor").glob("*.json"))
            state = json.loads(states[0].read_text("utf-8")) if states else {}
            if state and (state["error"] or state["turns"] >= turns):
                return state
            assert time.monotonic() < end, f"not imported: {state}"
            time.sleep(0.1)


@pytest.fixture
def host(tmp_path):
    made = Host(tmp_path)
    for name, text in {
        "path/sitecustomize.py": SITECUSTOMIZE,
        **{f"shop/{n}": t for n, t in FILES.items()},
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    made.home.mkdir()
    subprocess.run(["git", "init", "-q", str(made.project)], check=True)
    yield made
    site = Path(str(importlib.metadata.distribution("victor-ai").locate_file("")))
    for left in site.glob("victor_memory_code_search-*.dist-info"):
        shutil.rmtree(left)


@pytest.fixture
def ollama():
    return _module("fake_ollama").serving
