"""An array of a result in each form: nested lists, {"dtype", "shape", "data"}, a .npy file, raw bytes.

Nested lists hold all but complex numbers: text as it is, bytes as bytes, records as objects by their fields' names,
dates and durations as ISO 8601 text, what is masked as None. A .npy file holds what needs no pickle; it and raw bytes
have NaN where floats are masked. What a form cannot hold is Unholdable. Subclasses of ndarray are taken as arrays.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, cast

from edgefn.codec.arrays import Packed
from edgefn.codec.result import iso8601
from edgefn.codec.result.unholdable import Unholdable
from edgefn.codec.tensors import DTYPES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]

_ITEMS = frozenset("?bhilqpnBHILQPNefdSU")
"""NumPy's letters of the dtypes whose .item() is the very value as a bool, int, float, bytes or str of Python."""


def to_npy(array: Array) -> bytes:
    """Encode `array` as a .npy file that numpy.load() reads without pickles. Raise Unholdable."""
    import numpy as np

    plain = _filled(array)
    dtype = np.lib.format.drop_metadata(plain.dtype)  # of which numpy.save would warn at each request
    if dtype.hasobject:
        raise Unholdable(f"is an array of dtype {dtype}, which a .npy file cannot hold without a pickle")
    if np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(dtype)) != dtype:
        raise Unholdable(f"is an array of dtype {dtype}, which a .npy file cannot name")
    file = io.BytesIO()
    np.save(file, plain.view(dtype), allow_pickle=False)
    return file.getvalue()


def to_raw(array: Array) -> bytes:
    """Encode the elements of `array` as little-endian bytes in C order. Raise Unholdable."""
    plain = _filled(array)
    if plain.dtype.name not in DTYPES:
        raise Unholdable(
            f"is an array of dtype {plain.dtype}, which has no raw form; these dtypes have one: {', '.join(DTYPES)}"
        )
    return _little_endian(plain)


def to_packed(array: Array) -> Any:
    """Convert `array` to a {"dtype", "shape", "data"} object.

    An array that is masked or of another dtype becomes nested lists.
    """
    name = array.dtype.name
    if name not in DTYPES or _is_masked(array):
        return to_lists(array)
    return Packed(name, array.shape, _little_endian(array))


def to_lists(array: Array) -> Any:
    """Convert `array` to nested lists of Python values; without dimensions, to its one value."""
    masked = _is_masked(array)
    if array.dtype.char in _ITEMS and not masked:
        return array.tolist()
    import numpy as np

    return _lists(np.asarray(array), np.ma.getmaskarray(array) if masked else None)


def to_item(scalar: np.generic) -> Any:
    """Convert a NumPy scalar to a Python value."""
    if scalar.dtype.char in _ITEMS:
        return scalar.item()
    import numpy as np

    return to_lists(np.asarray(scalar))


def _filled(array: Array) -> Array:
    import numpy as np

    if not _is_masked(array):
        return np.asarray(array)
    if array.dtype.kind not in "fc":
        raise Unholdable(
            f"is a masked array of dtype {array.dtype}, which has no value for masked elements; floats have NaN"
        )
    return cast("Array", np.ma.filled(array, np.nan))


def _little_endian(plain: Array) -> bytes:
    return plain.astype(plain.dtype.newbyteorder("<"), copy=False).tobytes()


def _is_masked(array: Array) -> bool:
    masked = sys.modules.get("numpy.ma")  # not imported: then nothing can be masked
    return masked is not None and isinstance(array, masked.MaskedArray)


def _lists(plain: Array, mask: Array | None) -> Any:
    if plain.dtype.names is not None:
        return _records(plain, mask)
    values = _values(plain)
    if mask is not None:
        values = values.astype(object)
        values[mask] = None
    return values.tolist()


def _values(plain: Array) -> Array:
    """Return an array whose tolist() gives Python values."""
    match plain.dtype.kind:
        case "M":
            return iso8601.dates(plain)
        case "m":
            return iso8601.durations(plain)
        case "c":
            raise Unholdable(f"is of dtype {plain.dtype}; send the parts, np.stack([x.real, x.imag])")
        case "f" if plain.dtype.char == "g":
            return _doubles(plain)
        case _:
            return plain


def _doubles(plain: Array) -> Array:
    """Round long doubles to float64: Python and most readers have no more. Raise Unholdable beyond it."""
    import numpy as np

    with np.errstate(over="ignore"):
        rounded = plain.astype(np.float64)
    if (np.isinf(rounded) & np.isfinite(plain)).any():
        raise Unholdable(f"has {plain.dtype} numbers beyond float64")
    return rounded


def _records(plain: Array, mask: Array | None) -> Any:
    """Convert a structured array to objects with the names of its fields."""
    if plain.ndim > 1:
        return [_records(row, None if mask is None else mask[index]) for index, row in enumerate(plain)]
    names = plain.dtype.names or ()
    columns = {name: _lists(plain[name], None if mask is None else mask[name]) for name in names}
    if plain.ndim == 0:
        return columns
    return [{name: column[index] for name, column in columns.items()} for index in range(len(plain))]
