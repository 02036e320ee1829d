"""Outputs' shapes, call by call: right ones pass, wrong ones are told, and it costs next to nothing."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from edgefn import Dim, InputError, SizeError, edge_model, tensor
from edgefn.dimensions.shapes import OutputShapes
from edgefn.errors import WrongShape
from edgefn.spec import ModelSpec, SizeRange, TensorSpec

MAX_S = 2e-6
"""A call's check of one output without a free dimension."""


class Session:
    """Gives what it is told to give."""

    def __init__(self, **outputs: Any) -> None:
        self.outputs = outputs

    def run(self, inputs: Any) -> dict[str, Any]:
        return self.outputs


def _spec(*shape: int | str, **more: Any) -> ModelSpec:
    inputs = {"x": TensorSpec("float32", ("batch", "length"))}
    return ModelSpec("net", inputs, {"y": TensorSpec("float32", shape)}, **more)


@pytest.mark.parametrize(
    ("shape", "found", "wrong"),
    [
        ((2, 3), (2, 3), ""),
        ((2, 3), (2, 4), "output 'y' has the shape [2, 4] but must have [2, 3] for batch = 2, length = 9"),
        (("batch", "length // 4 + 1"), (2, 3), ""),
        (("batch", "length // 4 + 1"), (2, 4), "must have [2, 3]"),
        (("batch", "length"), (2, 9, 1), "has the shape [2, 9, 1]"),
        (("boxes", 4), (17, 4), ""),
        (("boxes", 4), (17, 5), "must have [any, 4]"),
        ((), (), ""),
        (("4 % (length - 9)",), (5,), ""),
    ],
)
def test_a_shape_is_held_against_its_expressions(shape: Any, found: tuple[int, ...], wrong: str) -> None:
    """What nothing says, a data-dependent size or a division by zero, fits."""
    told = OutputShapes(_spec(*shape)).misfit({"y": np.zeros(found)}, {"batch": 2, "length": 9})
    assert wrong in told
    assert bool(told) == bool(wrong)


def test_an_output_that_is_missing_is_told() -> None:
    """As wrong as any shape."""
    assert OutputShapes(_spec(2)).misfit({}, {"batch": 1, "length": 1}) == "output 'y' is missing"


def test_it_costs_less_than_two_microseconds_an_output() -> None:
    """Where no dimension is free; the fastest of many rounds, so that a busy machine does not count."""
    shapes, outputs = OutputShapes(_spec(1, 1000)), {"y": np.zeros((1, 1000), np.float32)}
    lengths = {"batch": 1, "length": 4}
    rounds = []
    for _ in range(50):
        started = time.perf_counter()
        for _ in range(200):
            shapes.misfit(outputs, lengths)
        rounds.append((time.perf_counter() - started) / 200)
    assert min(rounds) < MAX_S, rounds


@edge_model(inputs={"x": tensor("float32", "batch", Dim("length", max=8))})
def net() -> None: ...


def test_a_length_that_the_model_does_not_take_is_the_handlers_mistake() -> None:
    """No InputError, which would be a 400: the caller cannot know it. What was declared, and what torch found."""
    net.bind(Session(y=np.zeros((2, 3), np.float32)))
    net(x=np.zeros((2, 8), np.float32))
    with pytest.raises(
        SizeError, match=r"model net: length is 9, it must be 1 to 8\. Declare .*Dim\(\"length\", "
    ) as caught:
        net(x=np.zeros((2, 9), np.float32))
    assert not isinstance(caught.value, InputError)
    found = ModelSpec("net", net.spec.inputs, {}, {"length": SizeRange(4, 8, 4)})
    net.bind(Session(y=np.zeros((2, 3), np.float32)), found)
    with pytest.raises(SizeError, match="length is 6, it must be a multiple of 4, 4 to 8"):
        net(x=np.zeros((2, 6), np.float32))


def test_an_answer_of_another_shape_is_told_and_raised_each_time() -> None:
    """Where nothing else can serve, every such request fails; what fits is answered."""
    told: list[str] = []
    session = Session(y=np.zeros((2, 3), np.float32))
    net.bind(session, ModelSpec("net", net.spec.inputs, {"y": TensorSpec("float32", ("batch", 3))}), told.append)
    assert net(x=np.zeros((2, 4), np.float32)).shape == (2, 3)
    for _ in range(2):
        with pytest.raises(WrongShape, match=r"model net: output 'y' has the shape \[2, 3\] but must have \[5, 3\]"):
            net(x=np.zeros((5, 4), np.float32))
    assert len(told) == 2
