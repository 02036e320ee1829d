"""Rows of nearly equal scores may swap; no other row may, and nothing that is wrong becomes right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.accuracy import judging
from edgefn.accuracy.judge import judge
from edgefn.accuracy.measures import ordering
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import Judging, RowOrder
from edgefn.accuracy.verdict import Agreement
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import TensorSpec

Arrays = dict[str, Any]
ORDER = RowOrder("scores", {"boxes": 0, "labels": 0, "scores": 0})


def detections(seed: int, count: int, tied: int = 0) -> Arrays:
    """Draw `count` detections in the order of their scores, of which `tied` have one score."""
    random = np.random.default_rng(seed)
    scores = np.sort(random.uniform(0.05, 1, count))[::-1].astype(np.float32)
    scores[:tied] = scores[:1] - np.arange(tied, dtype=np.float32) * np.float32(1e-7)
    return {
        "boxes": random.uniform(0, 300, (count, 4)).astype(np.float32),
        "labels": random.integers(0, 5, count),
        "scores": scores,
    }


@given(st.integers(0, 1000), st.integers(2, 30), st.data())
def test_tied_rows_come_back_into_eagers_order(seed: int, count: int, data: st.DataObject) -> None:
    """Whatever the order in which an artifact gives rows of one score."""
    wanted = detections(seed, count, tied=count // 2 + 1)
    order = [*data.draw(st.permutations(range(count // 2 + 1))), *range(count // 2 + 1, count)]
    found = ordering.aligned({name: array[order] for name, array in wanted.items()}, wanted, [ORDER], {"scores": 1e-5})
    assert all(np.array_equal(found[name], wanted[name]) for name in ("boxes", "labels"))
    assert np.allclose(found["scores"], wanted["scores"], atol=1e-5)


@given(st.integers(0, 1000), st.permutations(range(6)))
def test_rows_may_lie_along_another_axis(seed: int, order: list[int]) -> None:
    """Sizes [batch, 2, found] beside scores [batch, found], as a heat map's peaks have them."""
    wanted = {name: array[None] for name, array in detections(seed, 9, tied=6).items()}
    wanted["boxes"] = wanted["boxes"].transpose(0, 2, 1)
    rows = [*order, 6, 7, 8]
    given_ = {name: array[..., rows] for name, array in wanted.items()}
    (found_order,) = ordering.found([wanted] * 4)
    found = ordering.aligned(given_, wanted, [found_order], {"scores": 1e-5})
    assert np.array_equal(found["boxes"], wanted["boxes"])


@given(st.integers(0, 1000), st.integers(4, 30))
def test_rows_of_unlike_scores_stay_where_they_are(seed: int, count: int) -> None:
    """An artifact that gives the boxes in another order is wrong, and stays so."""
    wanted = detections(seed, count)
    wanted["scores"] = np.linspace(0.9, 0.1, count).astype(np.float32)
    shuffled = {name: np.roll(array, 1, axis=0) for name, array in wanted.items()}
    assert ordering.aligned(shuffled, wanted, [ORDER], {"scores": 1e-5}) is shuffled


@given(st.integers(0, 1000), st.integers(0, 20))
def test_a_row_is_used_once(seed: int, count: int) -> None:
    """Alignment is a permutation: the artifact's rows are all there, whatever they hold."""
    wanted, given_ = detections(seed, count, tied=count), detections(seed + 1, count, tied=count)
    found = ordering.aligned(given_, wanted, [ORDER], {"scores": 1.0})
    assert sorted(map(tuple, found["boxes"].tolist())) == sorted(map(tuple, given_["boxes"].tolist()))


def test_the_order_is_found_in_answers() -> None:
    """Of as many rows as there are, of the best k in a batch, and never of scores that rise once."""
    several = [detections(seed, 5 + seed) for seed in range(4)]
    assert ordering.found(several) == (ORDER,)
    batched = [{name: array[None] for name, array in one.items()} for one in several]
    assert ordering.found(batched) == (RowOrder("scores", {"boxes": 1, "labels": 1, "scores": 1}),)
    turned = [{**one, "boxes": one["boxes"].transpose(0, 2, 1)} for one in batched]
    assert ordering.found(turned) == (RowOrder("scores", {"boxes": 2, "labels": 1, "scores": 1}),)
    several[2]["scores"] = several[2]["scores"][::-1]
    assert ordering.found(several) == ()
    assert ordering.found([]) == ()


def test_which_rows_of_the_last_score_come_in_is_chance() -> None:
    """The best k of scores that are 0 for most: another row of score 0 is as right, one of another score is not."""
    wanted = detections(3, 10)
    wanted["scores"][6:] = 0.0
    given_ = {name: array.copy() for name, array in wanted.items()}
    given_["boxes"][6:] += 50
    found = ordering.aligned(given_, wanted, [ORDER], {"scores": 1e-5})
    assert np.array_equal(found["boxes"], wanted["boxes"])
    given_["boxes"][5] += 50
    found = ordering.aligned(given_, wanted, [ORDER], {"scores": 1e-5})
    assert np.array_equal(found["boxes"][5], given_["boxes"][5])
    given_["scores"][8] = 0.5
    found = ordering.aligned(given_, wanted, [ORDER], {"scores": 1e-5})
    assert not np.array_equal(found["boxes"][6:], wanted["boxes"][6:])


def judged(change: Any, tied: int) -> Agreement:
    """Judge a detector whose rows an artifact gives otherwise."""
    samples = [GoldenSample({"x": np.array([seed])}, detections(seed, 20, tied)) for seed in range(10)]
    spec = {
        "boxes": TensorSpec("float32", ("found", 4)),
        "labels": TensorSpec("int64", ("found",)),
        "scores": TensorSpec("float32", ("found",)),
    }

    class Session:
        def run(self, inputs: Any) -> Any:
            return change(detections(int(inputs["x"][0]), 20, tied))

    found: Judging = judging.found("net", spec, samples, Accuracy())
    return judge(Session(), Pairs(tuple(samples)), found, "fp32")


def swapped(*names: str) -> Any:
    """Change the places of the two best rows of the outputs called so."""
    order = [1, 0, *range(2, 20)]
    return lambda answer: {name: array[order] if name in names else array for name, array in answer.items()}


def test_a_detector_whose_best_two_are_tied_may_swap_them() -> None:
    """With all that belongs to them."""
    assert judged(swapped("boxes", "labels", "scores"), tied=2).passed


@pytest.mark.parametrize(
    ("change", "tied"),
    [
        pytest.param(swapped("boxes", "labels", "scores"), 0, id="scores that differ"),
        pytest.param(swapped("labels", "scores"), 2, id="boxes of another row"),
        pytest.param(swapped("boxes", "scores"), 2, id="labels of another row"),
        pytest.param(lambda answer: {**answer, "boxes": answer["boxes"] + 5}, 2, id="all boxes moved"),
    ],
)
def test_other_swaps_are_wrong(change: Any, tied: int) -> None:
    """Of rows that are no tie, and of a part of a row."""
    assert judged(change, tied).verdict == "wrong"
