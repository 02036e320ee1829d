"""Golden samples: the file, and what agreement means."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgefn import golden
from edgefn.bundle.config import Bound
from edgefn.errors import BundleError
from edgefn.golden import Agreement, GoldenSample, compare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.backends.backend import Arrays

    Array = NDArray[np.generic]

SCORES = np.array([[1.0, 4.0, 2.0]], np.float32)


class Fixed:
    """A session that gives the same outputs whatever goes in."""

    def __init__(self, **outputs: Array) -> None:
        self.outputs = outputs

    def run(self, inputs: Arrays) -> dict[str, Array]:
        return self.outputs


def held_against(eager: Array, output: Array, bound: Bound | None = None) -> Agreement:
    sample = GoldenSample({"x": np.zeros(1, np.float32)}, {"y": eager})
    return compare(Fixed(y=output), [sample], bound or Bound())


def test_the_file_gives_back_what_was_written(tmp_path: Path) -> None:
    """Samples come back in order, more than ten of them too, with names, dtypes and values as they were."""
    samples = [
        GoldenSample({"a": np.full((1, 2), n, np.float32)}, {"y": np.arange(n), "z": np.array(n > 3)})
        for n in range(12)
    ]
    golden.write(samples, tmp_path / "golden.npz")
    read = golden.load(tmp_path / "golden.npz")
    assert len(read) == 12
    for sample, known in zip(read, samples, strict=True):
        np.testing.assert_array_equal(sample.inputs["a"], known.inputs["a"])
        assert {name: (array.dtype, array.tolist()) for name, array in sample.outputs.items()} == {
            name: (array.dtype, array.tolist()) for name, array in known.outputs.items()
        }


def test_the_same_samples_give_the_same_bytes(tmp_path: Path) -> None:
    """The file depends on the arrays alone: not on the time, the order of names or the arrays' memory order."""
    grid = np.arange(6.0).reshape(2, 3)
    golden.write([GoldenSample({"a": grid, "b": SCORES}, {"y": SCORES})], tmp_path / "one.npz")
    golden.write([GoldenSample({"b": SCORES, "a": np.asfortranarray(grid)}, {"y": SCORES})], tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\x80\x04N."])
def test_a_damaged_file_is_a_bundle_error(tmp_path: Path, content: bytes) -> None:
    """A file that is no .npz, or holds a pickle, is refused and never unpickled."""
    (tmp_path / "golden.npz").write_bytes(content)
    with pytest.raises(BundleError, match=r"golden\.npz"):
        golden.load(tmp_path / "golden.npz")


def test_an_npz_of_something_else_is_a_bundle_error(tmp_path: Path) -> None:
    """Arrays that are not called <n>/in/<name> or <n>/out/<name> are no golden samples."""
    np.savez(tmp_path / "golden.npz", weights=SCORES)
    with pytest.raises(BundleError):
        golden.load(tmp_path / "golden.npz")


def test_equal_outputs_agree() -> None:
    """No difference is error 0 and agreement 1."""
    assert held_against(SCORES, SCORES.copy()) == Agreement(0.0, 1.0, 1, True)


def test_the_error_is_relative_to_the_largest_eager_value() -> None:
    """0.004 off where the largest is 4 is 1e-3; just over the bound fails and says both figures."""
    agreement = held_against(SCORES, SCORES + np.float32(0.004), Bound(max_error=9e-4))
    assert agreement.max_error == pytest.approx(1e-3, rel=1e-3)
    assert not agreement.passed
    assert "1.00e-03" in agreement.reason
    assert "9.00e-04" in agreement.reason


def test_another_top_class_fails_however_small_the_error() -> None:
    """Top-1 agreement is its own bound."""
    eager = np.array([[1.0, 1.0001]], np.float32)
    agreement = held_against(eager, eager[:, ::-1].copy())
    assert agreement.max_error < 1e-3
    assert (agreement.top1, agreement.passed) == (0.0, False)


def test_a_tie_is_no_disagreement() -> None:
    """Where eager scores are equal, either class is the top one."""
    eager = np.zeros((1, 3), np.float32)
    assert held_against(eager, np.array([[0.0, 0.0, 1e-10]], np.float32)).passed


def test_a_regressor_has_no_top_class() -> None:
    """With top1=None only the error counts, and no agreement is reported."""
    eager = np.array([[1.0, 1.0001]], np.float32)
    agreement = held_against(eager, eager[:, ::-1].copy(), Bound(top1=None))
    assert (agreement.top1, agreement.passed) == (None, True)


def test_integers_agree_when_they_are_equal() -> None:
    """A class id that is one off is near in value and wrong all the same."""
    eager = np.array([999, 5], np.int64)
    agreement = held_against(eager, np.array([1000, 5]), Bound(max_error=0.01))
    assert (agreement.top1, agreement.passed) == (0.5, False)


@pytest.mark.parametrize(
    "output",
    [
        np.array([[1.0, np.nan, 2.0]], np.float32),
        np.array([[1.0, np.inf, 2.0]], np.float32),
        SCORES[:, :2],
        SCORES.astype(np.float64),
    ],
    ids=["nan", "infinity", "shape", "dtype"],
)
def test_what_cannot_be_compared_fails(output: Array) -> None:
    """NaN, infinity, another shape or another dtype fail under any bound."""
    agreement = held_against(SCORES, output, Bound(max_error=1e9, top1=None))
    assert not agreement.passed
    assert agreement.max_error == math.inf
    assert "'y'" in agreement.reason


def test_a_missing_output_fails() -> None:
    """An artifact that lost an output is refused."""
    agreement = compare(Fixed(), [GoldenSample({}, {"y": SCORES})], Bound())
    assert "missing" in agreement.reason


def test_no_samples_prove_nothing() -> None:
    """An artifact with no golden sample to run does not pass."""
    assert not compare(Fixed(), [], Bound()).passed


def test_one_bad_sample_among_many_is_found() -> None:
    """The worst of all samples counts, not the mean."""

    class OnceWrong:
        calls = 0

        def run(self, inputs: Arrays) -> dict[str, Array]:
            self.calls += 1
            return {"y": SCORES + np.float32(0.1 * (self.calls == 7))}

    agreement = compare(OnceWrong(), [GoldenSample({}, {"y": SCORES})] * 16, Bound())
    assert not agreement.passed
    assert agreement.max_error == pytest.approx(0.025, rel=1e-3)
