"""Arrays of results in each form, whatever their dtype, order and mask."""

from __future__ import annotations

import io
import json
import warnings
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgefn.codec.result.array_forms import to_item, to_lists, to_npy, to_packed, to_raw
from edgefn.codec.result.unholdable import Unholdable
from edgefn.codec.tensors import DTYPES

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
NUMBERS = st.sampled_from(DTYPES).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES))
OTHERS = st.one_of(
    arrays.arrays(arrays.unicode_string_dtypes(max_len=3, endianness="?"), SHAPES),
    arrays.arrays(arrays.byte_string_dtypes(max_len=3), SHAPES),
    arrays.arrays(arrays.complex_number_dtypes(), SHAPES),
    arrays.arrays(arrays.datetime64_dtypes(max_period="Y", min_period="ns"), SHAPES),
    arrays.arrays(np.dtype([("x", "f4"), ("name", "U2"), ("inner", [("n", "i2", (2,))])]), SHAPES),
)
ORDERS = st.sampled_from(["C", "F", "reversed", "big-endian"])


def _ordered(array: Any, order: str) -> Any:
    """The same elements, lying otherwise."""
    match order:
        case "F":
            return np.asfortranarray(array).reshape(array.shape, order="F")
        case "reversed":
            return np.flip(np.flip(array).copy()) if array.ndim else array
        case "big-endian":
            return array.astype(array.dtype.newbyteorder(">"))
    return array


@given(NUMBERS | OTHERS, ORDERS)
def test_numpy_reads_the_file(array: Any, order: str) -> None:
    """Without pickles: the same dtype, shape and bits."""
    read = np.load(io.BytesIO(to_npy(_ordered(array, order))), allow_pickle=False)
    assert (read.dtype.newbyteorder("="), read.shape) == (array.dtype.newbyteorder("="), array.shape)
    assert read.astype(array.dtype).tobytes() == array.tobytes() or repr(read) == repr(array)


@given(NUMBERS, ORDERS)
def test_raw_and_packed_are_little_endian_in_c_order(array: Any, order: str) -> None:
    """Read back by numpy.frombuffer."""
    given_array = _ordered(array, order)
    packed = to_packed(given_array)
    assert (packed.dtype, packed.shape, packed.data) == (array.dtype.name, array.shape, to_raw(given_array))
    read = np.frombuffer(packed.data, array.dtype.newbyteorder("<")).reshape(array.shape)
    np.testing.assert_array_equal(read, array)


@given(NUMBERS, ORDERS, st.data())
def test_what_is_masked_is_null_and_nan(array: Any, order: str, data: st.DataObject) -> None:
    """In lists for every dtype, in .npy and raw bytes for floats; what lies under the mask is in none of them."""
    mask = data.draw(arrays.arrays("bool", array.shape))
    masked = np.ma.masked_array(_ordered(array, order), mask)
    expected = array.astype(object)
    expected[mask] = None
    for lists in (to_lists(masked), to_packed(masked)):
        assert repr(lists) == repr(expected.tolist())  # NaN is not equal to itself
    if array.dtype.kind != "f":
        for write in (to_npy, to_raw):
            with pytest.raises(Unholdable, match="masked array of dtype"):
                write(masked)
        return
    filled = np.where(mask, np.nan, array).astype(array.dtype)
    np.testing.assert_array_equal(np.load(io.BytesIO(to_npy(masked))), filled)
    np.testing.assert_array_equal(np.frombuffer(to_raw(masked), array.dtype).reshape(array.shape), filled)


def test_long_doubles_are_rounded_or_refused() -> None:
    """Python and most readers have float64; what lies beyond it would become infinity."""
    assert to_lists(np.array([0.1, np.inf, np.nan], "g"))[:2] == [0.1, np.inf]
    with pytest.raises(Unholdable, match="beyond float64"):
        to_lists(np.array(["1e4000"], "g"))


def test_what_needs_a_pickle_is_no_file() -> None:
    """Objects, alone or in a field, and NumPy's strings of any length."""
    strings = np.array(["a"], np.dtypes.StringDType())
    for array in (np.array([None]), np.zeros(1, [("a", "O")]), strings):
        with pytest.raises(Unholdable, match="cannot hold without a pickle"):
            to_npy(array)
        with pytest.raises(Unholdable, match="has no raw form; these dtypes have one: bool, int8"):
            to_raw(array)


def test_a_dtype_that_numpy_has_no_name_for_is_no_file() -> None:
    """The file would have bytes of no type; values they are all the same."""
    dtypes = pytest.importorskip("ml_dtypes")
    for dtype in (dtypes.bfloat16, dtypes.float8_e4m3fn, dtypes.int4):
        for array in (np.array([1, 2], dtype), np.zeros(2, [("a", dtype)])):
            with pytest.raises(Unholdable, match=r"which a \.npy file cannot name"):
                to_npy(array)
        assert to_lists(np.array([1, 2], dtype)) == [1, 2]
        assert to_item(np.array([1, 2], dtype)[1]) == 2


def test_metadata_of_a_dtype_is_left_out_without_a_word() -> None:
    """numpy.save would warn in the function's log at each request."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.load(io.BytesIO(to_npy(np.ones(2, np.dtype("f4", metadata={"unit": "m"}))))).tolist() == [1, 1]


def test_records_are_objects() -> None:
    """By field, with fields of several elements, records in records, objects and no fields at all."""
    dtype = [("box", "f4", (2,)), ("inner", [("n", "i4"), ("when", "M8[s]")]), ("any", "O")]
    records = np.array([([1, 2], (3, "2026-07-01"), {"a": ()})], dtype)
    expected = [{"box": [1.0, 2.0], "inner": {"n": 3, "when": "2026-07-01T00:00:00"}, "any": {"a": ()}}]
    for array in (records, records.view(np.recarray)):
        assert to_lists(array) == expected
    assert to_lists(records.reshape(1, 1)) == [expected]
    assert to_lists(records[0:1].reshape(())) == expected[0]
    assert to_lists(np.zeros(2, np.dtype([]))) == [{}, {}]
    assert json.loads(msgspec.json.encode(to_lists(records)))[0]["any"] == {"a": []}


class Metres(np.ndarray):
    """A subclass, as libraries of units have."""


def test_a_subclass_is_an_array() -> None:
    """In every form."""
    metres, plain = np.arange(4.0).reshape(2, 2).view(Metres), np.arange(4.0).reshape(2, 2)
    for write in (to_lists, to_npy, to_raw, to_packed):
        assert write(metres) == write(plain)
