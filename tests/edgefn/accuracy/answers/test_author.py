"""`@my_function.match` is checked at import, and its faults name the line."""

from __future__ import annotations

from typing import Any

import pytest

from edgefn import EdgeFunction, edge_function
from edgefn.accuracy.answers.author import judged
from edgefn.errors import BuildError, SpecError


def function() -> EdgeFunction[[str], str]:
    """A function without a model."""

    @edge_function
    def greet(name: str) -> str:
        return f"hello {name}"

    return greet


def test_match_registers_a_comparison() -> None:
    """The decorated comparison stays the author's function, and the function knows it."""
    greet = function()

    @greet.match
    def same(expected: str, actual: str) -> bool:
        return expected.lower() == actual.lower()

    assert same("A", "a")
    assert greet.judge is same
    assert judged(greet.judge, "A", "a") == ""
    assert judged(greet.judge, "A", "b") == "same() found a difference"


@pytest.mark.parametrize(
    ("judge", "told"),
    [
        (lambda only: True, "cannot be called with two answers"),
        (lambda one, two, three: True, "cannot be called with two answers"),
        ("same", "put it on a function"),
    ],
)
def test_a_comparison_that_cannot_be_called_is_refused(judge: Any, told: str) -> None:
    """The signature is checked at import, with an example of a right one."""
    with pytest.raises(SpecError, match=told):
        function().match(judge)


def test_an_async_comparison_or_a_second_one_is_refused() -> None:
    """A coroutine would always be true; two comparisons would hide each other."""

    async def same(expected: str, actual: str) -> bool:
        return True

    with pytest.raises(SpecError, match="without async"):
        function().match(same)  # type: ignore[type-var]  # what a type checker sees, too
    greet = function()
    greet.match(lambda expected, actual: True)
    with pytest.raises(SpecError, match="twice"):
        greet.match(lambda expected, actual: True)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (True, ""),
        (1.0, ""),
        (0.95, ""),
        ("", ""),
        (False, "<lambda>() found a difference"),
        (0.5, "<lambda>() found a similarity of 0.50, at least 0.95 is required"),
        ("the plate differs", "the plate differs"),
    ],
)
def test_what_a_comparison_says(said: Any, reason: str) -> None:
    """A truth value, a number from 0 to 1 and a text each say whether two answers match."""
    assert judged(lambda expected, actual: said, 1, 2) == reason


@pytest.mark.parametrize("said", [None, 2.0, float("nan"), [], -0.1])
def test_a_comparison_that_says_nothing_is_told(said: Any) -> None:
    """None is not a match: what may be returned is told."""
    with pytest.raises(BuildError, match="return True or False"):
        judged(lambda expected, actual: said, 1, 2)


def test_a_fault_of_the_author_names_its_line() -> None:
    """An exception in the comparison is told with file, line and source."""

    def same(expected: dict[str, int], actual: dict[str, int]) -> bool:
        return expected["plate"] == actual["plate"]

    with pytest.raises(BuildError, match=r'KeyError: \'plate\' \(File ".*test_author.py", line \d+, in same: return'):
        judged(same, {}, {})
