"""Importing the package is light and silent, and its public names are complete."""

import subprocess
import sys

import pytest

import victor_memory

HEAVY = {"lancedb", "pyarrow", "numpy", "model2vec", "torch", "sentence_transformers", "victor"}


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "import victor_memory",
        "from victor_memory import EmbeddingConfig, EmbeddingRegistry, open_runtime",
        "import victor_memory; victor_memory.EmbeddingRegistry.default('conversation').names()",
    ],
)
def test_importing_loads_nothing_heavy_and_prints_nothing(statement):
    done = run(
        f"{statement}\nimport sys\nprint(sorted({HEAVY} & set(sys.modules)), file=sys.stderr)"
    )
    assert done.stdout == ""
    assert done.stderr.strip() == "[]"


def test_a_bare_import_loads_none_of_our_dependencies_either():
    done = run(
        "import victor_memory, sys\n"
        "print([name for name in ('pydantic', 'structlog', 'pluggy', 'rich') if name in sys.modules])"
    )
    assert done.stdout.strip() == "[]"


def test_exported_names_are_sorted_complete_and_importable():
    assert victor_memory.__all__ == sorted(victor_memory.__all__)
    assert set(victor_memory.__all__) == set(victor_memory._HOMES)
    for name in victor_memory.__all__:
        value = getattr(victor_memory, name)
        assert name == getattr(value, "__name__", "hookimpl")
    assert set(victor_memory.__all__) <= set(dir(victor_memory))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = victor_memory.no_such_name
