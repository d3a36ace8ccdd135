"""Deferred packages: what is asked for is there, and nothing runs before."""

import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from victor_memory.providers._deferred import defer, promised


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


def test_a_package_in_a_package(package, tmp_path):
    home = tmp_path / "deferred_sample" / "inner"
    home.mkdir()
    (home / "__init__.py").write_text("DEEP = 1\n", encoding="utf-8")
    defer(package)
    defer(f"{package}.inner")
    module = importlib.import_module("deferred_sample.inner")
    assert importlib.import_module(package).inner is module
    assert not ran()
    assert module.DEEP == 1
    del sys.modules["deferred_sample.inner"]


def test_threads_wait_until_it_has_run(package, tmp_path):
    (tmp_path / "deferred_sample" / "__init__.py").write_text(
        "import time\nFIRST = 1\ntime.sleep(0.2)\nLAST = 2\n", encoding="utf-8"
    )
    defer(package)
    module = importlib.import_module(package)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: module.LAST, range(8))) == [2] * 8


def test_what_is_promised_is_kept(package):
    with promised(package):
        found = {}
        exec("from deferred_sample import Part, VALUE", found)
    part = found["Part"]
    assert not ran()
    assert part.__class__.__name__ != "type"
    assert not ran()
    made = part()
    assert ran()
    real = importlib.import_module(package).Part
    assert type(made) is real
    assert real.__name__ == "Part"
    assert isinstance(made, part)
    assert issubclass(real, part)

    class Derived(part): ...

    assert Derived.__mro__[1] is real
    assert (part | None) == (None | part) == real | None
    assert part.__call__()
    assert importlib.import_module(package).VALUE == 7


def test_what_its_source_does_not_name_is_not_promised(package):
    with promised(package), pytest.raises(ImportError):
        exec("from deferred_sample import nothing", {})


def test_a_package_that_has_run_promises_nothing(package):
    real = importlib.import_module(package).Part
    with promised(package):
        found = {}
        exec("from deferred_sample import Part", found)
    assert found["Part"] is real
    with promised("no_such_package_anywhere"):
        assert "no_such_package_anywhere" not in sys.modules


def test_a_missing_package_is_left_alone():
    defer("no_such_package_anywhere")
    defer("no_such_package_anywhere.below")
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
        "assert 'lance_namespace_urllib3_client.models.create_table_request' not in sys.modules\n"
        "from lance_namespace import CreateTableRequest, LanceNamespace, ListTablesResponse\n"
        "import lancedb.db\n"
        "listed = lancedb.db.ListTablesResponse(tables=['one'])\n"
        "assert type(listed) is ListTablesResponse and listed.tables == ['one']\n"
        "assert isinstance(CreateTableRequest, type) and isinstance(LanceNamespace, type)\n"
        "try:\n"
        "    CreateTableRequest(id=3)\n"
        "except pydantic.ValidationError:\n"
        "    sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
