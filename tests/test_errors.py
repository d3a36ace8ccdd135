"""The drawing in `errors` is the tree of the classes, and each can be caught by either base."""

import builtins
import inspect

import pytest

from victor_memory import errors

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and value.__module__ == errors.__name__
}


def drawn():
    """Return `{class: (parent, second base or None)}` as the docstring draws it."""
    found, above = {}, []
    drawing = errors.__doc__.split("```")[1].strip("\n")
    for line in drawing.splitlines():
        tree, _, also = line.partition(" also ")
        name = tree.lstrip("│├└─ ").strip()
        depth = (len(tree) - len(tree.lstrip("│├└─ "))) // 4
        above[depth:] = [name]
        if depth:
            found[name] = (above[depth - 1], also.strip() or None)
    return found


def actual():
    return {
        name: (
            value.__bases__[0].__name__,
            *([one.__name__ for one in value.__bases__[1:]] or [None]),
        )
        for name, value in CLASSES.items()
    }


def test_drawing_is_the_tree():
    assert drawn() == actual()


@pytest.mark.parametrize("name", CLASSES)
def test_class_is_caught_by_both_bases(name):
    parent, also = drawn()[name]
    error = CLASSES[name]("what to do next")
    assert str(error) == "what to do next"
    assert isinstance(error, CLASSES.get(parent) or getattr(builtins, parent))
    assert also is None or isinstance(error, getattr(builtins, also))


@pytest.mark.parametrize("name", CLASSES)
def test_class_says_what_it_means(name):
    assert CLASSES[name].__doc__.endswith(".")


def test_everything_is_one_of_ours():
    ours = (errors.VictorMemoryError, errors.VictorMemoryWarning)
    assert [name for name, value in CLASSES.items() if not issubclass(value, ours)] == []
