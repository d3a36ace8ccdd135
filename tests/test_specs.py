"""Specs: what is missing is told with its pip line, and a bug is never taken for something missing."""

import sys

import pytest

from victor_memory.errors import ContractError, MissingDependencyError
from victor_memory.specs import ComponentSpec, Stability, package_version


class Store:
    """What a spec points to."""


def spec(target=Store, **fields):
    return ComponentSpec("store", target, **fields)


def test_class_is_loaded():
    assert spec().load() is Store


def test_name_is_imported_when_loaded(tmp_path, monkeypatch):
    (tmp_path / "lazy_store.py").write_text("class Lazy: pass\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    lazy = spec("lazy_store:Lazy", requires=("json",))
    assert lazy.missing() == ()
    assert "lazy_store" not in sys.modules
    assert lazy.load().__name__ == "Lazy"


def test_missing_modules_are_named_with_the_pip_line():
    gone = spec(
        "no_such_store:Store",
        title="Gone",
        requires=("json", "no_such_a", "no_such_b.c"),
        extra="gone",
    )
    assert gone.missing() == ("no_such_a", "no_such_b.c")
    with pytest.raises(MissingDependencyError) as caught:
        gone.load()
    assert str(caught.value) == (
        "Gone needs no_such_a, no_such_b.c, which is not installed. "
        "Install with: pip install victor-memory[gone]"
    )
    assert caught.value.name == "no_such_a"
    assert isinstance(caught.value, ImportError)


def test_import_error_of_an_installed_store_is_a_bug(tmp_path, monkeypatch):
    (tmp_path / "buggy_store.py").write_text("import no_such_helper\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError) as caught:
        spec("buggy_store:Store", requires=("json",), extra="x").load()
    assert not isinstance(caught.value, MissingDependencyError)


@pytest.mark.parametrize(
    "target", ["json:no_such_name", "json:dumps", "json", "json:", 7, None, Store()]
)
def test_target_that_is_no_class(target):
    with pytest.raises(ContractError, match="is not a class"):
        spec(target).load()


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"extra": "sqlite", "requires": ("apsw",)}, "pip install victor-memory[sqlite]"),
        ({"distribution": "their-store", "requires": ("theirs",)}, "pip install their-store"),
        ({"requires": ("one", "two")}, "pip install one two"),
        ({}, "pip install victor-memory"),
    ],
)
def test_pip_line(fields, line):
    assert spec(**fields).pip_line == line


def test_label():
    assert spec().label == "store"
    assert spec(title="The Store").label == "The Store"


def test_stable_unless_said_otherwise():
    assert spec().stability is Stability.STABLE


def test_version():
    assert package_version()[0].isdigit()
