"""Golden pairs: the file."""

from __future__ import annotations

import copy
import tracemalloc
import zipfile
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


def _npz(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def _npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


HEADERS = {
    "a shape that lies": "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,)}",
    "a shape that overflows": "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
    "a negative shape": "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
    "a record": "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
    "huge items": "{'descr': '|V1000000000', 'fortran_order': False, 'shape': (1,)}",
    "code": "__import__('os').system('true')",
    "nothing": "",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_an_array_that_lies_is_a_bundle_error(tmp_path: Path, header: str) -> None:
    """Nothing is allocated by what a header says, and nothing is unpickled or evaluated."""
    path = _npz(tmp_path / "golden.npz", {"0/in/x": _npy(header, b"1234")})
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match=r"golden\.npz"):
            golden.load(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_file_takes_no_more_memory_than_it_has_bytes(tmp_path: Path) -> None:
    """612 kB that were 600 MB once unpacked, and one member under many names, are refused."""
    zeros = _npy("{'descr': '|u1', 'fortran_order': False, 'shape': (16777216,)}", bytes(2**24))
    with pytest.raises(BundleError, match="compressed"):
        golden.load(_npz(tmp_path / "golden.npz", {"0/in/x": zeros}, zipfile.ZIP_DEFLATED))
    path = _npz(tmp_path / "same.npz", {"0/in/x": zeros})
    with zipfile.ZipFile(path, "a") as archive:
        first = archive.infolist()[0]
        for number in range(1, 100):
            again = copy.copy(first)
            again.filename = f"{number}/in/x.npy"
            archive.filelist.append(again)
        archive._didModify = True  # type: ignore[attr-defined]
    with pytest.raises(BundleError, match="more than the file can hold"):
        golden.load(path)
