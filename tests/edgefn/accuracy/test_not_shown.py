"""What no sample exercises is not shown: neither right nor wrong, and never served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgefn.accuracy.judge import judge, judge_served
from edgefn.accuracy.judging import found
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import Judging, Network
from edgefn.accuracy.verdict import Agreement
from edgefn.compile.judging.verify import check
from edgefn.errors import BuildError, GateError
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import TensorSpec

Answer = Callable[[Any], dict[str, Any]]
PRECISIONS = ["fp32", "fp16", "bf16", "int8"]
COUNT = 8


class Runs:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def run(self, inputs: Any) -> dict[str, Any]:
        return dict(self._answer(inputs["x"]))


def moving(x: Any) -> Any:
    return (x @ np.linspace(-1, 1, x.shape[-1] * 4, dtype=np.float32).reshape(-1, 4)).astype(np.float32)


CONSTANTS: dict[str, Any] = {
    "numbers": np.full((1, 4), 3.5, np.float32),
    "unlike numbers": np.array([[0.1, 0.2, 0.3, 0.4]], np.float32),
    "zeros": np.zeros((1, 4), np.float32),
    "minus infinity": np.full((1, 4), -np.inf, np.float32),
    "whole numbers": np.array([[1, 2, 3]]),
    "truth values": np.array([[True, False]]),
}
EMPTY: dict[str, Any] = {"no numbers": np.zeros((0, 4), np.float32), "no whole numbers": np.zeros((0,), np.int64)}


def judged(
    eager: Answer,
    artifact: Answer | None = None,
    precision: str = "fp32",
    accuracy: Accuracy | None = None,
    network: Network | None = None,
) -> Agreement:
    """Return the verdict on `artifact`, eager itself unless it is given, from eight samples."""
    random = np.random.default_rng(0)
    inputs = [random.standard_normal((1, 6)).astype(np.float32) for _ in range(COUNT)]
    pairs = [GoldenSample({"x": x}, dict(eager(x))) for x in inputs]
    shapes = {name: TensorSpec(array.dtype.name, array.shape) for name, array in pairs[0].outputs.items()}
    judging = found("net", shapes, pairs, accuracy or Accuracy(), network=network)
    return judge(Runs(artifact or eager), Pairs(tuple(pairs)), judging, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", CONSTANTS)
def test_a_constant_output_is_not_shown(kind: str, precision: str) -> None:
    """Eager's own answer is no proof where it never moves, alone or beside an output that is right."""
    alone = judged(lambda x: {"y": CONSTANTS[kind]}, precision=precision)
    beside = judged(lambda x: {"boxes": moving(x), "y": CONSTANTS[kind]}, precision=precision)
    for verdict in (alone, beside):
        assert (verdict.verdict, verdict.passed) == ("not shown", False)
        assert "y is the same for all 8 samples, which proves nothing" in verdict.reason
    assert [row.verdict for row in beside.slices] == ["not shown", "right"]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", EMPTY)
def test_an_empty_output_is_not_shown(kind: str, precision: str) -> None:
    """A detector that found nothing in any sample may find nothing anywhere."""
    verdict = judged(lambda x: {"boxes": EMPTY[kind], "y": moving(x)}, precision=precision)
    assert verdict.verdict == "not shown"
    assert "boxes is empty for all 8 samples, which proves nothing" in verdict.reason


@pytest.mark.parametrize("pairs", [Pairs(), Pairs(sizes=(GoldenSample({"x": np.ones(1)}, {"y": np.ones(1)}),))])
def test_no_samples_prove_nothing(pairs: Pairs) -> None:
    """Nor do inputs that are made of samples, without any; the session is not even run."""

    def never(x: Any) -> Any:
        raise AssertionError("there is nothing to run")

    for judging_one in (judge, judge_served):
        verdict = judging_one(Runs(never), pairs, Judging(), "fp32")
        assert (verdict.verdict, verdict.reason) == ("not shown", "there are no golden samples")


def test_samples_without_outputs_prove_nothing() -> None:
    """A pair that holds no answer of eager's compares nothing."""
    pairs = Pairs(tuple(GoldenSample({"x": np.full((1, 6), number, np.float32)}, {}) for number in range(COUNT)))
    assert judge(Runs(lambda x: {"y": moving(x)}), pairs, Judging(), "fp32").verdict == "not shown"


def test_an_output_that_is_missing_is_wrong() -> None:
    """What an artifact does not answer is no pass, whatever else it answers."""
    verdict = judged(lambda x: {"boxes": moving(x), "y": moving(x)}, lambda x: {"boxes": moving(x)})
    assert (verdict.verdict, verdict.reason) == ("wrong", "sample 0: output 'y' is missing")


def test_wrong_comes_before_not_shown() -> None:
    """An artifact with a wrong output beside one that nobody can judge is wrong, and says only that."""
    verdict = judged(
        lambda x: {"boxes": moving(x), "y": CONSTANTS["numbers"]},
        lambda x: {"boxes": -moving(x), "y": CONSTANTS["numbers"]},
    )
    assert verdict.verdict == "wrong"
    assert "proves nothing" not in verdict.reason


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("output", [*CONSTANTS, *EMPTY])
def test_the_author_may_say_why_an_output_is_not_proved(output: str, precision: str) -> None:
    """Then equal is right, with the reason among what to know; without one it is no reason."""
    array = {**EMPTY, **CONSTANTS}[output]
    accuracy = Accuracy(unproven={"y": "always so here"})
    verdict = judged(lambda x: {"boxes": moving(x), "y": array}, precision=precision, accuracy=accuracy)
    assert verdict.verdict == "right"
    assert "y is not proved: always so here" in verdict.notes


@pytest.mark.parametrize("kind", ["numbers", "zeros", "minus infinity", "whole numbers", "truth values"])
def test_what_is_not_proved_is_wrong_where_it_is_another(kind: str) -> None:
    """The author's word excuses the lack of a proof, and no other answer."""
    array = CONSTANTS[kind]
    other = ~array if array.dtype == np.bool_ else np.where(np.isinf(array), 0, array + 1).astype(array.dtype)
    for precision in PRECISIONS:
        for accuracy in (Accuracy(), Accuracy(unproven={"y": "always so here"})):
            verdict = judged(
                lambda x: {"boxes": moving(x), "y": array},
                lambda x: {"boxes": moving(x), "y": other},
                precision,
                accuracy,
            )
            assert verdict.verdict == "wrong"


def test_what_depends_on_no_input_is_right_where_it_is_equal() -> None:
    """The captured network says so: a table of anchors needs no sample in which it differs."""
    table = CONSTANTS["unlike numbers"]
    network = Network(fixed=("y",))
    verdict = judged(lambda x: {"boxes": moving(x), "y": table}, network=network)
    assert verdict.verdict == "right"
    assert "y depends on no input" in verdict.notes
    twice = judged(lambda x: {"y": table}, lambda x: {"y": table * 2}, network=network)
    assert twice.verdict == "wrong"


def test_a_slice_that_does_not_move_is_not_shown() -> None:
    """Scores that are 0 in all samples, beside boxes that move: a network that cannot see is right nowhere else."""

    def eager(x: Any) -> Any:
        return {"y": np.concatenate([moving(x), np.zeros((1, 2), np.float32)], -1)}

    network = Network(joins={"y": (1, (0, 4, 6))})
    verdict = judged(eager, network=network)
    assert verdict.verdict == "not shown"
    assert "y[:, 4:6] is the same for all 8 samples" in verdict.reason
    told = judged(eager, network=network, accuracy=Accuracy(unproven={"y[:, 4:6]": "no photo has any"}))
    assert told.verdict == "right"
    assert "y[:, 4:6] is not proved: no photo has any" in told.notes


def test_a_reason_for_what_there_is_not_is_refused() -> None:
    """The names that there are stand in the error."""
    with pytest.raises(BuildError, match="leaves 'scores' unproven; there are y"):
        judged(lambda x: {"y": moving(x)}, accuracy=Accuracy(unproven={"scores": "always 0"}))


def test_the_gate_lets_nothing_pass_that_is_not_shown() -> None:
    """The build says that it is not shown, and not that it is wrong."""
    with pytest.raises(GateError, match="net is not proved right: y is the same for all 8 samples"):
        check(judged(lambda x: {"y": CONSTANTS["zeros"]}), "net")
