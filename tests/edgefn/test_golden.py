"""Golden pairs: the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgefn import golden
from edgefn.errors import BundleError
from edgefn.golden import GoldenSample, Pairs

SCORES = np.array([[1.0, 4.0, 2.0]], np.float32)


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


def test_each_group_of_pairs_comes_back_as_it_was(tmp_path: Path) -> None:
    """Held-out, stress and size pairs stay apart from the samples; a file of samples alone has none of them."""
    groups = Pairs(*((GoldenSample({"a": np.full(3, n)}, {"y": np.full(2, n)}),) * (n + 1) for n in range(4)))
    golden.write(groups, tmp_path / "golden.npz")
    read = golden.load_pairs(tmp_path / "golden.npz")
    assert [len(group) for group in read] == [1, 2, 3, 4]
    assert [int(group[0].inputs["a"][0]) for group in read] == [0, 1, 2, 3]
    assert len(golden.load(tmp_path / "golden.npz")) == 1
