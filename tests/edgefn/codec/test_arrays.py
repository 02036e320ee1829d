"""The wire forms of arrays: what NumPy writes is read back, and nothing else gets through."""

from __future__ import annotations

import contextlib
import io
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from edgefn.codec import arrays
from edgefn.codec.result import array_forms
from edgefn.codec.tensors import DTYPES, tensor
from edgefn.spec import TensorSpec

ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)


def _spec(array: NDArray[Any], *, symbolic: bool = False) -> TensorSpec:
    names = tuple(f"d{axis}" for axis in range(array.ndim))
    return TensorSpec(array.dtype.name, names if symbolic else array.shape)


def _same(read: NDArray[Any], array: NDArray[Any]) -> None:
    np.testing.assert_array_equal(read, array, strict=True)
    assert read.flags.c_contiguous
    assert read.flags.writeable
    assert read.dtype.isnative


def _saved(array: NDArray[Any], version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version)
    return file.getvalue()


@given(ARRAYS, st.sampled_from([(1, 0), (2, 0)]), st.booleans(), st.booleans())
def test_npy_is_read_as_numpy_wrote_it(
    array: NDArray[Any], version: tuple[int, int], fortran: bool, big_endian: bool
) -> None:
    """Both formats, both orders, both byte orders; NaN and infinity unchanged."""
    stored = array.astype(array.dtype.newbyteorder(">" if big_endian else "<"))
    stored = np.asfortranarray(stored) if fortran else stored
    if array.ndim == 0:
        stored = stored.reshape(())
    _same(arrays.from_npy(_saved(stored, version), _spec(array, symbolic=True), {}), array)


@given(ARRAYS)
def test_written_forms_are_read_back(array: NDArray[Any]) -> None:
    """What `array_forms` writes, from_npy, from_raw and from_packed read; views of odd strides too."""
    for given_array in (array, np.repeat(array, 2)[::2].reshape(array.shape)):
        _same(arrays.from_npy(array_forms.to_npy(given_array), _spec(array, symbolic=True), {}), array)
        _same(arrays.from_raw(memoryview(array_forms.to_raw(given_array)), _spec(array), {}), array)
        _same(arrays.from_packed(array_forms.to_packed(given_array), _spec(array, symbolic=True), {}), array)


@given(ARRAYS.filter(lambda array: array.size and np.isfinite(array).all()))
def test_nested_lists_are_read_by_their_dtype(array: NDArray[Any]) -> None:
    """What tolist() gives, through JSON, is the same array."""
    spec = _spec(array, symbolic=True)
    lists = msgspec.json.decode(msgspec.json.encode(array.tolist()), type=arrays.list_type(spec))
    _same(arrays.from_lists(lists, spec, {}), array)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: arrays.NPY_MAGIC + data), ARRAYS, st.data())
def test_other_bytes_are_a_value_error(data: bytes, array: NDArray[Any], draw: st.DataObject) -> None:
    """Random bytes, and a real file with bytes changed or cut, are read or are a ValueError; never another fault."""
    spec = _spec(array, symbolic=True)
    changed = bytearray(_saved(array))
    for _ in range(draw.draw(st.integers(0, 3))):
        changed[draw.draw(st.integers(0, len(changed) - 1))] = draw.draw(st.integers(0, 255))
    for body in (data, bytes(changed), bytes(changed[: draw.draw(st.integers(0, len(changed)))])):
        for read in (arrays.from_npy, arrays.from_raw):
            with contextlib.suppress(ValueError):
                read(body, spec, {})


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3, "float64"), r"has float64\[3\], needs float32\[3\]"),
        (np.zeros(4, "float32"), r"has float32\[4\], needs float32\[3\]"),
        (np.zeros(3, "complex64"), r"has complex64\[3\]"),
        (np.array([None]), "not a plain array's"),
        (np.zeros(3, [("a", "f4")]), "not a plain array's"),
        (np.array(["abc"]), "not a plain array's"),
    ],
)
def test_npy_of_another_kind_is_refused(array: NDArray[Any], message: str) -> None:
    """Other dtypes, other shapes; objects are refused by the header, before a pickle could be looked at."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        arrays.from_npy(file.getvalue(), TensorSpec("float32", (3,)), {})


def test_a_huge_shape_costs_nothing() -> None:
    """Sizes are compared before memory is taken."""
    spec = TensorSpec("float32", ("a", "b"))
    with pytest.raises(ValueError, match="has 4 bytes of data"):
        arrays.from_packed(arrays.Packed("float32", (2**40, 2**40), b"1234"), spec, {})
    with pytest.raises(ValueError, match="of data"):
        arrays.from_packed(arrays.Packed("float32", (-1, -1), b"1234"), spec, {})
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999, 9), }"
    with pytest.raises(ValueError, match="has 0 bytes of data"):
        arrays.from_npy(arrays.NPY_MAGIC + b"\x01\x00" + len(header).to_bytes(2, "little") + header, spec, {})
    with pytest.raises(ValueError, match=r"\.npy header of 65535 bytes"):
        arrays.from_npy(arrays.NPY_MAGIC + b"\x01\x00\xff\xff" + b" " * 65535, spec, {})


def test_raw_bytes_tell_one_unknown_dimension() -> None:
    """It follows from the count; a square from its root; a bound one is known; two cannot be told apart."""
    data = np.arange(36, dtype="<f4").tobytes()
    assert arrays.from_raw(data, TensorSpec("float32", ("n", 4)), {}).shape == (9, 4)
    assert arrays.from_raw(data, TensorSpec("float32", ("n", "n")), {}).shape == (6, 6)
    assert arrays.from_raw(data, TensorSpec("float32", ("n", "m")), {"n": 12}).shape == (12, 3)
    with pytest.raises(ValueError, match="do not give m, n"):
        arrays.from_raw(data, TensorSpec("float32", ("n", "m")), {})
    with pytest.raises(ValueError, match=r"has 36 float32 values, which do not fill float32\[n, 5\]"):
        arrays.from_raw(data, TensorSpec("float32", ("n", 5)), {})
    with pytest.raises(ValueError, match="not a whole number"):
        arrays.from_raw(data[:-1], TensorSpec("float32", ("n",)), {})


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        ("uint8", [256, 0], "does not fit uint8"),
        ("uint8", [-1, 0], "does not fit uint8"),
        ("float32", [1e39, 0.0], "does not fit float32"),
        ("float16", [1e5, 0.0], "does not fit float16"),
        ("float32", [[1.0], [1.0, 2.0]], "different lengths"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(dtype: str, value: Any, message: str) -> None:
    """Nothing wraps round, and nothing becomes infinity."""
    with pytest.raises(ValueError, match=message):
        arrays.from_lists(value, TensorSpec(dtype, (2,)), {})


def test_a_bool_is_zero_or_one() -> None:
    """Other bytes would be a bool that compares wrongly."""
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        arrays.from_raw(b"\x00\x02", TensorSpec("bool", ("n",)), {})


@pytest.mark.parametrize(
    ("lists", "shape", "expected"),
    [
        ([], ("n", 4), (0, 4)),
        ([], ("n",), (0,)),
        ([], ("n", 2, 3), (0, 2, 3)),
        ([[], []], ("n", "m", 3), (2, 0, 3)),
        ([], ("n", "m"), (0, 0)),
        ([[]], (1, "n"), (1, 0)),
    ],
)
def test_no_rows_are_an_array_of_none(
    lists: list[Any], shape: tuple[int | str, ...], expected: tuple[int, ...]
) -> None:
    """Lists without items do not say how long those would be: the spec does."""
    found = arrays.from_lists(lists, tensor("float32", *shape), {})
    assert (found.shape, found.dtype.name) == (expected, "float32")


def test_no_rows_fit_what_is_bound_and_nothing_else() -> None:
    """A length that another parameter has, and a first dimension that is none."""
    assert arrays.from_lists([], tensor("float32", "n", "m"), {"m": 5}).shape == (0, 5)
    with pytest.raises(ValueError, match=r"has float32\[0, 4\], needs float32\[2, 4\]"):
        arrays.from_lists([], tensor("float32", 2, 4), {})


def test_another_dtype_is_told_with_the_cast() -> None:
    """A .npy of float64 where float32 is declared: what to write."""
    with pytest.raises(ValueError, match=r"send array\.astype\(np\.float32\)"):
        arrays.from_npy(array_forms.to_npy(np.zeros((1, 4))), tensor("float32", "n", 4), {})


def test_numbers_beyond_the_dtype_are_refused_beside_nan() -> None:
    """NaN and infinity are numbers of each float dtype, in lists of msgpack; a number beyond it hid behind NaN."""
    spec = TensorSpec("float32", ("n",))
    assert np.isinf(arrays.from_lists([math.nan, -math.inf], spec, {})).tolist() == [False, True]
    with pytest.raises(ValueError, match="does not fit"):
        arrays.from_lists([math.nan, 1e39], spec, {})
