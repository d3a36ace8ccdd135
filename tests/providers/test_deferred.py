"""Deferred packages: what is asked for is there, and nothing runs before."""

import importlib
import subprocess
import sys

import pytest

from victor_memory.providers._deferred import defer


@pytest.fixture
def package(tmp_path, monkeypatch):
    home = tmp_path / "deferred_sample"
    home.mkdir()
    (home / "__init__.py").write_text(
        "import builtins\nbuiltins.deferred_sample_ran = True\n"
        "from deferred_sample.part import Part\n__all__ = ['Part', 'VALUE']\nVALUE = 7\n",
        encoding="utf-8",
    )
    (home / "part.py").write_text("class Part: ...\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delattr("builtins.deferred_sample_ran", raising=False)
    importlib.invalidate_caches()
    yield "deferred_sample"
    for name in ("deferred_sample", "deferred_sample.part"):
        sys.modules.pop(name, None)


def ran():
    import builtins

    return hasattr(builtins, "deferred_sample_ran")


def test_a_submodule_does_not_run_the_package(package):
    defer(package)
    assert importlib.import_module("deferred_sample.part").Part
    assert not ran()


def test_an_attribute_runs_it(package):
    defer(package)
    module = importlib.import_module(package)
    assert not hasattr(module, "__wrapped__")
    assert not ran()
    assert module.VALUE == 7
    assert ran()
    assert module.Part is importlib.import_module("deferred_sample.part").Part


def test_a_star_import_finds_everything(package):
    defer(package)
    found = {}
    exec("from deferred_sample import *", found)
    assert found["VALUE"] == 7


def test_a_missing_attribute_is_missing(package):
    defer(package)
    with pytest.raises(AttributeError, match="nothing"):
        _ = importlib.import_module(package).nothing


def test_a_package_that_is_imported_stays(package):
    before = importlib.import_module(package)
    defer(package)
    assert importlib.import_module(package) is before


def test_a_missing_package_is_left_alone():
    defer("no_such_package_anywhere")
    assert "no_such_package_anywhere" not in sys.modules


def test_the_store_does_not_run_the_rest_client():
    code = (
        "import sys\n"
        "from victor_memory.providers import _lance_client\n"
        "_lance_client.load()\n"
        "assert 'lance_namespace_urllib3_client.api' not in sys.modules\n"
        "from lance_namespace_urllib3_client import ApiClient, CreateTableRequest\n"
        "assert ApiClient and CreateTableRequest\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_client_is_loaded_when_it_is_needed_and_leaves_other_packages_as_they_were():
    code = (
        "import sys, pydantic\n"
        "from victor_memory.providers import _lance_client, lancedb as provider\n"
        "assert 'lancedb' not in sys.modules\n"
        "before = dict(pydantic.BaseModel.model_config)\n"
        "assert _lance_client.lancedb is sys.modules['lancedb']\n"
        "assert pydantic.BaseModel.model_config == before\n"
        "if sys.version_info < (3, 12):\n"
        "    import overrides\n"
        "    assert overrides.EnforceOverrides is not object\n"
        "    assert overrides.override.__module__.startswith('overrides')\n"
        "from lance_namespace import CreateTableRequest\n"
        "try:\n"
        "    CreateTableRequest(id=3)\n"
        "except pydantic.ValidationError:\n"
        "    sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
