"""How declared inputs reach forward(): all by name, all in order, or an error with both lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgefn.compile.capture.arguments import by_name
from edgefn.errors import BuildError
from edgefn.spec import ModelSpec, TensorSpec


def spec(*names: str) -> ModelSpec:
    return ModelSpec("net", {name: TensorSpec("float32", (1,)) for name in names})


@pytest.mark.parametrize(
    ("forward", "names"),
    [
        (lambda b, a: 0, ("a", "b")),
        (lambda a, b=None, *, c=None: 0, ("c", "a")),
        (lambda a, **others: 0, ("a", "mask")),
        (lambda *, a: 0, ("a",)),
    ],
    ids=["swapped", "with defaults", "keywords", "keyword only"],
)
def test_all_names_match(forward: Callable[..., Any], names: tuple[str, ...]) -> None:
    """Inputs go by name when forward() has all the names."""
    assert by_name(forward, spec(*names))


@pytest.mark.parametrize(
    ("forward", "names"),
    [
        (lambda x, y: 0, ("a", "b")),
        (lambda x, y=None: 0, ("a",)),
        (lambda *xs, **others: 0, ("a", "b")),
        (lambda x, **others: 0, ("a",)),
        (lambda a, *others: 0, ("a", "b", "c")),
        (lambda x, /: 0, ("x",)),
        (max, ("a", "b")),
    ],
    ids=["others", "default", "star", "keywords unused", "in their places", "positional only", "no signature"],
)
def test_no_name_matches(forward: Callable[..., Any], names: tuple[str, ...]) -> None:
    """Inputs go in order when forward() has none of the names, or order and names agree."""
    assert not by_name(forward, spec(*names))


@pytest.mark.parametrize(
    ("forward", "names", "message"),
    [
        (lambda frames, state: 0, ("frames", "hidden"), "declares frames, hidden and forward.. takes frames, state"),
        (lambda input, target: 0, ("image", "input"), "declares image, input and forward.. takes input, target"),
        (lambda a, *others: 0, ("b", "a"), "declares b, a and forward.. takes a, others"),
        (lambda a, b: 0, ("a",), "also needs b, but inputs= declares only a"),
        (lambda a, *, scale: 0, ("a",), "also needs scale"),
        (lambda x, y: 0, ("a",), r"declares 1 \(a\) and forward.. takes x, y"),
        (lambda x: 0, ("a", "b"), r"declares 2 \(a, b\) and forward.. takes x"),
        (lambda: 0, ("a",), r"declares 1 \(a\) and forward.. takes nothing"),
    ],
    ids=["one each", "swapped", "star", "missing", "keyword", "too few", "too many", "none"],
)
def test_anything_else_is_an_error(forward: Callable[..., Any], names: tuple[str, ...], message: str) -> None:
    """No input goes to a parameter of another name because a third one matched; the error has both lists."""
    with pytest.raises(BuildError, match=f"model net: .*{message}"):
        by_name(forward, spec(*names))
