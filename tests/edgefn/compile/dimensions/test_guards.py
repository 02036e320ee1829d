"""From guards to ranges: sound for every length, as wide as steps allow, and told where no range says it."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgefn.compile.dimensions import guards
from edgefn.compile.dimensions.guards import Fixed, LengthCondition, Tied, drawn, ranges_of, told
from edgefn.spec import ModelSpec, SizeRange, TensorSpec


def guard(text: str, *words: str) -> LengthCondition:
    """A guard written in the words themselves."""
    source = text
    for number, word in enumerate(words):
        source = source.replace(word, f"v{number}")
    return LengthCondition(text, words, source)


@pytest.mark.parametrize(
    ("condition", "example", "found"),
    [
        ("length <= 64", 20, SizeRange(1, 64)),
        ("length == min(64, length)", 20, SizeRange(1, 64)),
        ("length > 200", 16000, SizeRange(201)),
        ("length % 32 == 0", 96, SizeRange(32, None, 32)),
        ("2 * (length // 2) == length", 10, SizeRange(2, None, 2)),
        ("(2 + 2*((length-1)//4)) == (1 + ((length-1)//2))", 48, SizeRange(4, None, 4)),
        ("length < 1500000", 16000, SizeRange(1, 1499999)),
        ("length % 7 == 0 and length >= 14 and length < 224", 21, SizeRange(14, 217, 7)),
        ("100 // (length - 5) > 0", 20, SizeRange(6, 105)),
    ],
)
def test_a_range_is_the_longest_run_that_holds(condition: str, example: int, found: SizeRange) -> None:
    """Limits that stand far off, multiples, and what cannot be computed."""
    assert ranges_of([guard(condition, "length")], {"length": example}, {}) == {"length": found}


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.sampled_from(
            ["{w} % 2 == 0", "{w} % 12 == 0", "{w} <= 100", "{w} >= 9", "{w} * 3 % 6 == 0", "({w} + 3) // 5 > 1"]
        ),
        max_size=4,
    ),
    st.integers(0, 10**6),
)
def test_every_length_of_a_range_fulfils_the_guards(conditions: list[str], seed: int) -> None:
    """Of both words, whatever the other one is."""
    both = [guard(text.format(w=word), word) for text in conditions for word in ("height", "width")]
    both.append(guard("(4 * height * width) == (16 * (height // 2) * (width // 2))", "height", "width"))
    example = {"height": 24, "width": 48}
    found = ranges_of(both, example, {})
    source = random.Random(seed)
    for _ in range(20):
        lengths = {word: drawn(allowed, example[word], source) for word, allowed in found.items()}
        assert all(one.holds(lengths) for one in both), lengths


def test_a_dimension_with_one_length_is_fixed() -> None:
    """A layer over all pixels, say: the numbers are to be written."""
    with pytest.raises(Fixed) as caught:
        ranges_of([guard("height * width == 64", "height", "width")], {"height": 8, "width": 8, "batch": 5}, {})
    assert caught.value.lengths == {"height": 8, "width": 8}


@pytest.mark.parametrize(
    ("condition", "example"),
    [("height == width", {"height": 8, "width": 8}), ("height * width <= 10000", {"height": 50, "width": 60})],
)
def test_dimensions_that_depend_on_each_other_are_tied(condition: str, example: dict[str, int]) -> None:
    """No range of one word says it; limits that were declared may."""
    with pytest.raises(Tied) as caught:
        ranges_of([guard(condition, "height", "width")], example, {})
    assert caught.value.condition == condition


def test_declared_limits_make_a_tie_harmless() -> None:
    """Within them it always holds."""
    tie = guard("height * width <= 10000", "height", "width")
    declared = {"height": SizeRange(1, 100), "width": SizeRange(1, 100)}
    found = ranges_of([tie], {"height": 50, "width": 60}, declared)
    assert told(found, declared) == declared


@pytest.mark.parametrize("example", [{"a": 8, "b": 12}, {"a": 4, "b": 5}])
def test_a_product_that_is_not_one_raises_the_least_length_of_one_word(example: dict[str, int]) -> None:
    """As a normalisation over height and width has it: it fails where both are least, and nowhere else."""
    guards = [guard("((a + 1) // 2) * ((b + 1) // 2) != 1", "a", "b")]
    assert ranges_of(guards, example, {}) == {"a": SizeRange(1), "b": SizeRange(3)}


@given(st.integers(2, 64), st.integers(2, 64), st.integers(2, 64), st.sampled_from([1, 2, 8]))
def test_a_batch_of_one_stays_beside_a_normalisation(batch: int, height: int, width: int, step: int) -> None:
    """Of batch, height and width it is the last that is raised, whatever the example was."""
    text = f"batch * (height // {step}) * (width // {step}) != 1"
    example = {"batch": batch, "height": height * step, "width": width * step}
    steps = [guard(f"{word} % {step} == 0", word) for word in ("height", "width")]
    found = ranges_of([guard(text, "batch", "height", "width"), *steps], example, {})
    assert found == {
        "batch": SizeRange(1),
        "height": SizeRange(step, None, step),
        "width": SizeRange(2 * step, None, step),
    }


@given(st.integers(1, 64), st.integers(1, 64))
def test_what_holds_for_some_lengths_alone_is_no_floor(a: int, b: int) -> None:
    """`a != b` holds where one is the least and the other more: that is not taken for all lengths."""
    assume(a != b)
    unequal = guard("a != b", "a", "b")
    with contextlib.suppress(Tied, Fixed):
        found = ranges_of([unequal], {"a": a, "b": b}, {})
        assert not any(length in found["a"] and length in found["b"] for length in range(1, 300))


@pytest.mark.parametrize(
    "of_size",
    [
        *(lambda n, name=name: getattr(torch, f"_sym_{name}")(n) for name in ("sqrt", "cos", "tanh", "atan", "log2")),
        lambda n: round(n / 3),
        lambda n: round(n / 3, 1),
        lambda n: math.floor(n / 3) + math.ceil(n / 3) + math.trunc(n / 3),
        *(lambda n, name=name: getattr(torch, name)(n, 4) for name in ("sym_max", "sym_min")),
        lambda n: abs(4 - n) + n // 3 + n % 3 + n**2,
        lambda n: n**0.5 + n / 2,
        lambda n: (n & 3) + (n | 3) + (n ^ 3) + (n << 1) + (n >> 1),
    ],
)
def test_whatever_torch_writes_into_a_guard_is_computed(of_size: Callable[[Any], Any]) -> None:
    """A guard that compares a function of a size holds as Python says: of `round` it ended in a NameError."""
    least = of_size(7) - 0.05

    class Network(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2 if of_size(x.shape[0]) > least else x

    program = torch.export.export(Network(), (torch.ones(7),), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    spec = ModelSpec("sizes", {"x": TensorSpec("float32", ("n",))}, {})
    found = guards.guards_of(program, spec)
    for length in (2, 3, 5, 6, 7, 8, 9, 100):
        assert all(one.holds({"n": length}) for one in found) == (of_size(length) > least)


def test_what_says_nothing_is_left_out() -> None:
    """A word that may have any length has no entry; what was declared has one."""
    found = {"batch": SizeRange(1), "length": SizeRange(1, 64), "width": SizeRange(1)}
    assert told(found, {"width": SizeRange(1)}) == {"length": SizeRange(1, 64), "width": SizeRange(1)}


@pytest.mark.parametrize(
    ("condition", "is_suspect"),
    [("n != 1", True), ("n > 1", True), ("1 < 3*n", True), ("n >= 2", True), ("n > 200", False), ("n == 2*m", False)],
)
def test_guards_that_may_be_about_memory_are_suspect(condition: str, is_suspect: bool) -> None:
    """The others are taken at their word."""
    assert guard(condition, "n", "m").is_suspect is is_suspect


def test_torch_writes_guards_as_they_are_read() -> None:
    """Sizes of inputs by their place, those that are fixed as numbers; what is no condition is left."""
    shapes = [("batch", 3, "height"), ("batch",)]
    read = guards._read("L['tensors'][0].size()[2] % L['tensors'][0].size()[1] == 0", shapes)
    assert read is not None
    assert (read.text, read.words) == ("height % 3 == 0", ("height",))
    assert read.holds({"height": 9})
    assert not read.holds({"height": 10})
    same = guards._read("L['tensors'][1].size()[0] == L['tensors'][0].size()[0]", shapes)
    assert same is not None
    assert same.text == "batch == batch"
    assert guards._read("L['tensors'][0].size()[1] == 3", shapes) is None
