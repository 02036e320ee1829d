"""Sizes as expressions: what is one, what they compute, and that they can do nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.dimensions.expressions import MAX_LENGTH, is_size, shapes_of
from edgefn.spec import TensorSpec

WORDS = ("batch", "length")


@st.composite
def sizes(draw: st.DrawFn, depth: int = 3) -> str:
    """A text of the grammar, in WORDS."""
    kind = draw(st.sampled_from(["number", "word", "binary", "minus", "least"])) if depth else "word"
    if kind == "number":
        return str(draw(st.integers(0, 9)))
    if kind == "word":
        return draw(st.sampled_from(WORDS))
    left, right = draw(sizes(depth=depth - 1)), draw(sizes(depth=depth - 1))
    if kind == "minus":
        return f"(-{left})"
    if kind == "least":
        return f"{draw(st.sampled_from(['min', 'max']))}({left}, {right})"
    return f"({left} {draw(st.sampled_from(['+', '-', '*']))} {right})"


@given(sizes(), st.integers(0, 50), st.integers(0, 50))
def test_an_expression_computes_what_python_does(text: str, batch: int, length: int) -> None:
    """Whatever the words are called inside."""
    assert is_size(text, WORDS)
    compute = shapes_of([TensorSpec("float32", ("batch", text, 3))], WORDS)
    wanted = eval(text, {"batch": batch, "length": length})
    assert compute({"batch": batch, "length": length}) == ((batch, wanted, 3),)


@pytest.mark.parametrize(
    "text",
    [
        "boxes",
        "2 ** batch",
        "batch / 2",
        "abs(batch)",
        "min(batch)",
        "batch.real",
        "(lambda: batch)()",
        "[batch][0]",
        "__import__('os')",
        "batch if batch else 1",
        "True",
        "1.5",
        "batch +",
        "",
        "batch+" * MAX_LENGTH + "1",
    ],
)
def test_what_is_no_expression_says_nothing_of_the_size(text: str) -> None:
    """A bundle from elsewhere computes numbers of its inputs' lengths and nothing more; any size fits there."""
    assert not is_size(text, WORDS)
    assert shapes_of([TensorSpec("float32", (text, 2))], WORDS)({"batch": 1, "length": 1}) == ((None, 2),)


def test_a_word_may_be_called_as_a_function_or_a_keyword_is() -> None:
    """Words are the users'."""
    compute = shapes_of([TensorSpec("float32", ("min", "min + 1", "class"))], ("min", "class"))
    assert compute({"min": 3, "class": 4}) == ((3, 4, 4),)
    assert not is_size("min(min, 2)", ("min",))
