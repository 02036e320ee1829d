"""Class scores: how an output is known to hold them, and which rows' top class agrees, of all and of the sure ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.accuracy.judge import judge
from edgefn.accuracy.judging import found
from edgefn.accuracy.measures.classes import Top1, top1
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import ClassScores, Network
from edgefn.accuracy.verdict import Agreement
from edgefn.errors import BuildError
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import TensorSpec

SURE = np.array([[9.0, 0, 1, 0], [0, 7, 0, 0], [0, 0, 8, -np.inf]])
UNSURE = np.array([[1.0, 0.9, 0, 0.2], [0.2, 0.3, 0.1, 0.4]])


def softmax(scores: Any, axis: int = -1) -> Any:
    power = np.exp(scores - scores.max(axis, keepdims=True))
    return power / power.sum(axis, keepdims=True)


def second_best(scores: Any) -> Any:
    """Return scores whose two largest of each row have changed places."""
    swapped = scores.copy()
    for row in swapped:
        first, second = np.argsort(row)[[-1, -2]]
        row[[first, second]] = row[[second, first]]
    return swapped


@pytest.mark.parametrize("probabilities", [False, True])
def test_rows_that_eager_is_sure_of_are_counted_apart(probabilities: bool) -> None:
    """A row whose top class has half of the probability or more, from logits as from probabilities."""
    kind = ClassScores(1, "", probabilities)
    sure, unsure = (softmax(one) if probabilities else one for one in (SURE, UNSURE))
    both = np.concatenate([sure, unsure])
    assert top1(both, both, kind) == Top1(5, 5, 3, 3)
    assert top1(np.concatenate([sure, second_best(unsure)]), both, kind) == Top1(3, 5, 3, 3)
    assert top1(np.concatenate([second_best(sure), unsure]), both, kind) == Top1(2, 5, 0, 3)


@given(st.integers(0, 1000), st.integers(1, 4), st.integers(2, 5))
def test_the_class_axis_may_lie_anywhere(seed: int, rank: int, classes: int) -> None:
    """Rows are what is left when the class axis is taken away, whatever lies before and behind it."""
    random = np.random.default_rng(seed)
    axis = int(random.integers(rank))
    shape = tuple(classes if place == axis else int(random.integers(1, 4)) for place in range(rank))
    eager = random.normal(0, 3, shape)
    other = np.where(random.random(shape) < 0.5, eager, random.normal(0, 3, shape))
    counted = top1(other, eager, ClassScores(axis, ""))
    rows = np.moveaxis(eager, axis, -1).reshape(-1, classes), np.moveaxis(other, axis, -1).reshape(-1, classes)
    sure = softmax(rows[0]).max(1) >= 0.5
    agree = rows[0].argmax(1) == rows[1].argmax(1)
    assert counted == Top1(int(agree.sum()), len(sure), int((agree & sure).sum()), int(sure.sum()))


def test_the_sure_rows_are_told_beside_all_of_them() -> None:
    """With the interval of all; nothing of them where eager is sure of none."""
    assert str(Top1(14, 16, 3, 3)) == (
        "top class equal in 14 of 16 rows (95 % interval 0.64 to 0.97), 3 of 3 where eager is sure"
    )
    assert str(Top1(14, 16)) == "top class equal in 14 of 16 rows (95 % interval 0.64 to 0.97)"
    assert Top1(14, 16, 3, 3) + Top1(1, 2, 0, 1) == Top1(15, 18, 3, 4)


SCORES = np.random.default_rng(0).normal(0, 2, (16, 1, 5)).astype(np.float32)
PROBABILITIES = softmax(SCORES).astype(np.float32)
NEVER_NEGATIVE = np.abs(SCORES)
MAP = softmax(np.random.default_rng(1).normal(0, 2, (16, 1, 3, 4, 4)), axis=2).astype(np.float32)
SOFTMAX, TOLD, ROWS = "a softmax makes it", "declared by accuracy=", "its rows are probabilities"


@pytest.mark.parametrize(
    ("answers", "network", "accuracy", "axis", "known_by"),
    [
        (SCORES, Network(), Accuracy(), None, ""),
        (NEVER_NEGATIVE, Network(), Accuracy(), None, ""),
        (PROBABILITIES * np.float32(0.99), Network(), Accuracy(), None, ""),
        (PROBABILITIES, Network(), Accuracy(), 1, ROWS),
        (MAP, Network(), Accuracy(), 1, ROWS),
        (PROBABILITIES, Network(scores={"y": -1}), Accuracy(), 1, SOFTMAX),
        (np.log(PROBABILITIES), Network(scores={"y": 1}), Accuracy(), 1, SOFTMAX),
        (SCORES, Network(), Accuracy(classes={"y": 1}), 1, TOLD),
        (SCORES, Network(), Accuracy(classes={"y": -1}), 1, TOLD),
        (PROBABILITIES, Network(scores={"y": 1}), Accuracy(classes={}), None, ""),
    ],
)
def test_class_scores_are_known_by_a_softmax_by_their_rows_or_by_the_author(
    answers: Any, network: Network, accuracy: Accuracy, axis: int | None, known_by: str
) -> None:
    """The author's word comes first, `classes={}` for none at all; numbers that only look like scores are none."""
    judging, agreement = judged(answers, answers, network, accuracy)
    scores = judging.outputs["y"].scores
    assert (scores and scores.axis, scores.known_by if scores else "") == (axis, known_by)
    assert (agreement.top1 is None) == (axis is None)
    if scores is not None:
        assert str(scores) == f"class scores along axis {axis}: {known_by}"
        assert agreement.top1 is not None
        assert agreement.top1.rows == agreement.top1.agreeing == answers.size // answers.shape[2]


def judged(answers: Any, others: Any, network: Network, accuracy: Accuracy) -> tuple[Any, Agreement]:
    """Return what is found of `answers`, and the verdict on an artifact that gives `others`."""
    samples = [GoldenSample({"x": np.array([number])}, {"y": one}) for number, one in enumerate(answers)]
    outputs = {"y": TensorSpec("float32", ("batch", *answers.shape[2:]))}
    judging = found("net", outputs, samples, accuracy, network=network)

    class Session:
        def run(self, inputs: Any) -> dict[str, Any]:
            return {"y": others[int(inputs["x"][0])]}

    return judging, judge(Session(), Pairs(tuple(samples)), judging, "int8")


def test_no_top_class_is_asked_where_there_are_no_class_scores() -> None:
    """Columns that are no classes may swap within the error; of class scores as many swaps are refused."""
    near = np.random.default_rng(2).uniform(0, 8, (16, 1, 1)) + np.random.default_rng(3).uniform(0, 0.02, (16, 1, 5))
    near = near.astype(np.float32)
    swapped = near[..., ::-1]
    assert judged(near, swapped, Network(), Accuracy())[1].passed
    assert judged(near, swapped, Network(), Accuracy(classes={}))[1].passed
    refused = judged(near, swapped, Network(), Accuracy(classes={"y": 1}))[1]
    assert refused.verdict == "wrong"
    assert "y: top class equal in " in refused.reason
    assert "but at least 93.0% is required" in refused.reason
    assert judged(near, swapped, Network(), Accuracy(classes={"y": 1}, top1=0.0))[1].passed


def test_classes_of_what_there_is_not_are_refused() -> None:
    """An axis that the output has not, or an output that the network has not."""
    with pytest.raises(BuildError, match="classes of 'y' along axis 2, but it is float32"):
        judged(SCORES, SCORES, Network(), Accuracy(classes={"y": 2}))
    with pytest.raises(BuildError, match="has classes of 'scores'; its outputs are y"):
        judged(SCORES, SCORES, Network(), Accuracy(classes={"scores": 1}))
