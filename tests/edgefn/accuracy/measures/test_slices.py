"""The author's slices: functions of an output's array, each judged by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn import edge_model, tensor
from edgefn.accuracy.judge import judge
from edgefn.accuracy.judging import found
from edgefn.accuracy.measures import slices
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.verdict import Agreement
from edgefn.compile.judging.judgements import by_output
from edgefn.errors import BuildError, SpecError
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import TensorSpec

Functions = dict[str, Callable[[Any], Any]]
DETECTOR: Functions = {"boxes": lambda y: y[..., :4], "scores": lambda y: y[..., 4:]}
SHAPE, FREE = (2, 5, 6), (0, 1)


def numbered(shape: tuple[int, ...]) -> Any:
    return np.arange(np.prod(shape)).reshape(shape)


@given(st.data())
def test_a_slice_is_what_its_function_selects(data: st.DataObject) -> None:
    """Whatever indices it takes along any axis of fixed length; what all of them leave is a slice, too."""
    shape = tuple(data.draw(st.lists(st.integers(2, 5), min_size=1, max_size=4)))
    axis = data.draw(st.integers(0, len(shape) - 1))
    free = [other for other in range(len(shape)) if other != axis and data.draw(st.booleans())]
    order = data.draw(st.permutations(range(shape[axis])))
    cut = data.draw(st.integers(1, shape[axis]))
    chosen, left = sorted(order[:cut]), sorted(order[cut:])
    made = slices.declared("net", "y", {"mine": lambda y: np.take(y, order[:cut], axis=axis)}, shape, free)
    array = numbered(shape)
    np.testing.assert_array_equal(made[0].of(array), np.take(array, chosen, axis=axis))
    assert [one.name for one in made] == ["mine", "the rest of y"][: 1 + bool(left)]
    for one in made[1:]:
        np.testing.assert_array_equal(one.of(array), np.take(array, left, axis=axis))


@pytest.mark.parametrize(
    "function",
    [
        lambda y: y[:1],
        lambda y: y[:, 0],
        lambda y: y[0, 0, 0],
        lambda y: y[..., :2] * 2,
        lambda y: y[..., :2] / 640,
        lambda y: y > 3,
        lambda y: y[y > 3],
        lambda y: y.argmax(-1),
        lambda y: y.mean(),
        lambda y: y[..., :0],
        lambda y: "boxes",
        lambda y: None,
    ],
)
def test_a_function_that_selects_nothing_fixed_is_refused(function: Any) -> None:
    """Along a free axis, by the values, or none: the error says what to write."""
    where = r"model net: outputs=\{'mine': …\} of output 'y' does not select indices along one axis of fixed length"
    with pytest.raises(BuildError, match=where + r": write e\.g\. lambda y: y\[\.\.\., :4\]"):
        slices.declared("net", "y", {"mine": function}, SHAPE, FREE)


@pytest.mark.parametrize("function", [lambda y: y.argmax(-1), lambda y: y.max(-1), lambda y: y.min(), lambda y: y // 2])
def test_a_function_of_the_values_is_no_slice(function: Any) -> None:
    """Of one row of class scores each gives what some index holds, and is refused all the same."""
    with pytest.raises(BuildError, match="does not select indices"):
        slices.declared("net", "y", {"mine": function}, (1, 6), (0,))


def test_a_function_that_raises_is_told_with_the_shape() -> None:
    """The author's own error, and what its array looks like."""
    with pytest.raises(
        BuildError, match=r"outputs=\{'mine': …\} of output 'y' raises IndexError: .*; its array has shape \(2, 5, 6\)"
    ):
        slices.declared("net", "y", {"mine": lambda y: y[..., 9]}, SHAPE, FREE)


def detections(count: int) -> list[GoldenSample]:
    """Return boxes that move by up to 8 and scores by 1.2: near enough to be one slice unless the author cuts them."""
    random = np.random.default_rng(0)
    unit = np.array([8, 8, 8, 8, 1.2, 1.2], np.float32)
    answers = random.uniform(0, 1, (count, 1, 5, 6)).astype(np.float32) * unit
    return [GoldenSample({"x": np.array([number])}, {"y": one}) for number, one in enumerate(answers)]


def judged(functions: Functions, change: Callable[[Any], Any], accuracy: Accuracy | None = None) -> Agreement:
    samples = detections(16)
    outputs = {"y": TensorSpec("float32", ("batch", 5, 6))}
    judging = found("net", outputs, samples, accuracy or Accuracy(), functions={"y": functions} if functions else {})

    class Session:
        def run(self, inputs: Any) -> dict[str, Any]:
            return {"y": change(samples[int(inputs["x"][0])].outputs["y"].copy())}

    return judge(Session(), Pairs(tuple(samples)), judging, "int8")


def noisy(y: Any) -> Any:
    y[..., 4:] += 0.05 * np.sign(np.sin(1e4 * y[..., 4:]))
    return y


def test_the_authors_slices_are_judged_by_themselves() -> None:
    """Scores off by a seventh of what they move are nothing beside the boxes, and wrong by themselves."""
    assert judged({}, noisy).passed
    cut = judged(DETECTOR, noisy)
    assert [(row.slice, row.verdict) for row in cut.slices] == [("scores", "wrong"), ("boxes", "right")]
    assert cut.reason.startswith("scores is off by ")
    assert judged(DETECTOR, lambda y: y).passed


def test_what_no_function_cuts_is_judged_too() -> None:
    """A slice that the author left out is the rest, and not lost."""
    only_boxes = {"boxes": DETECTOR["boxes"]}
    assert judged(only_boxes, lambda y: y).passed
    assert judged(only_boxes, noisy).reason.startswith("the rest of y is off by ")


def test_whole_numbers_have_no_slices() -> None:
    """They are compared one by one, so a function that cuts them would do nothing: it is refused."""
    samples = [GoldenSample({"x": np.array([number])}, {"y": np.arange(6)[None] * number}) for number in range(8)]
    with pytest.raises(
        BuildError, match=r"selects boxes, scores of output 'y', which is int64\[batch, 6\]: only floats"
    ):
        found("net", {"y": TensorSpec("int64", ("batch", 6))}, samples, Accuracy(), functions={"y": DETECTOR})


def test_a_slice_may_be_left_unproven() -> None:
    """By the name that the author gave it."""

    def still(y: Any) -> Any:
        y[..., 4:] = 0
        return y

    samples = [sample._replace(outputs={"y": still(sample.outputs["y"])}) for sample in detections(16)]
    outputs = {"y": TensorSpec("float32", ("batch", 5, 6))}

    class Session:
        def run(self, inputs: Any) -> Any:
            return samples[int(inputs["x"][0])].outputs

    for unproven, word in (({}, "not shown"), ({"scores": "no photo has any"}, "right")):
        judging = found("net", outputs, samples, Accuracy(unproven=unproven), functions={"y": DETECTOR})
        assert judge(Session(), Pairs(tuple(samples)), judging, "fp32").verdict == word


def model(**outputs: Any) -> Any:
    @edge_model(inputs={"x": tensor("float32", "batch", 4)}, outputs=outputs)
    def net() -> Any:
        raise AssertionError("nothing is built here")

    return net


DECLARED = tensor("float32", "batch", 6)


def test_functions_belong_to_the_output_that_their_parameter_names() -> None:
    """Of declared outputs and of those that are known at build alone; the only output needs no name."""
    only = by_output(model(**DETECTOR), ["y"])
    assert {output: list(functions) for output, functions in only.items()} == {"y": ["boxes", "scores"]}
    mixed = by_output(model(y=DECLARED, boxes=lambda y: y[..., :4], scores=lambda z: z[..., 4:]), ["y"])
    assert {output: list(functions) for output, functions in mixed.items()} == {"y": ["boxes", "scores"]}
    for declared in ({}, {"pred": DECLARED, "aux": DECLARED}):
        several = model(**declared, boxes=lambda pred: pred[..., :4], first=lambda aux: aux[..., :1])
        cuts = by_output(several, ["pred", "aux"])
        assert {output: list(functions) for output, functions in cuts.items()} == {"pred": ["boxes"], "aux": ["first"]}
    assert by_output(model(pred=DECLARED), ["pred"]) == {}


def test_a_function_that_belongs_to_no_output_is_refused() -> None:
    """At import where the outputs are declared, else at build; each names the outputs."""
    with pytest.raises(
        SpecError,
        match=r"boxes selects from one of several outputs: give its parameter the name of .* one of pred, aux",
    ):
        model(pred=DECLARED, aux=DECLARED, boxes=lambda y: y[..., :4])
    with pytest.raises(
        BuildError, match=r"'boxes': …\} selects from one of the outputs pred, aux .* lambda pred: pred\["
    ):
        by_output(model(boxes=lambda y: y[..., :4]), ["pred", "aux"])


@pytest.mark.parametrize("function", [lambda: 1, lambda y, n: y, min])
def test_a_function_of_another_kind_is_refused_at_import(function: Any) -> None:
    """It takes one array; a built-in does not tell what it takes."""
    with pytest.raises(SpecError, match=r"boxes must be a function of one array, e\.g\. lambda y"):
        model(boxes=function)
