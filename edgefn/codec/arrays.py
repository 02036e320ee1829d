"""Read an array of a request: .npy, raw little-endian bytes, nested lists, and {"dtype", "shape", "data"}.

Every reader checks the array against its spec, binds symbolic dimensions into `dims`, and raises ValueError with what
is wrong. An array it returns is C-contiguous, writable, of native byte order, and owns its memory: it never
keeps a request's body alive. Nothing here unpickles.

NaN: the binary forms carry it as it is. JSON has no word for it, so nested lists cannot, and `null` is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from edgefn.codec.tensors import DTYPES, MAX_RANK, bind
from edgefn.spec import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]
    Buffer = bytes | bytearray | memoryview

NPY_MAGIC = b"\x93NUMPY"
MAX_NPY_HEADER = 1024
"""NumPy writes 118 bytes for any plain array; more is a structured dtype, which no model takes."""

_SIMPLE_DTYPE = re.compile(r"'descr'\s*:\s*'([<>|=])([a-z]\d{1,2})'")
_FORTRAN = re.compile(r"'fortran_order'\s*:\s*(True|False)")
_SHAPE = re.compile(r"'shape'\s*:\s*\((\s*(?:\d+\s*,\s*)*(?:\d+\s*)?)\)")


class Packed(msgspec.Struct, forbid_unknown_fields=True):
    """An array in msgpack (or JSON, `data` in base64): its bytes are little-endian, in C order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


def list_type(spec: TensorSpec) -> Any:
    """Return the type of `spec`'s array as nested lists, e.g. list[list[float]], for msgspec to check."""
    number: Any = {"b": bool, "f": float}.get(spec.dtype[0], int)
    for _ in spec.shape:
        number = list[number]
    return number


def from_lists(value: Any, spec: TensorSpec, dims: dict[str, int]) -> Array:
    """Return the array of nested lists of numbers, each checked to fit the dtype."""
    import numpy as np

    try:
        array = np.array(value, dtype="float64" if spec.dtype.startswith("float") else spec.dtype)
    except OverflowError as error:
        raise ValueError(f"a number does not fit {spec.dtype}") from error
    except ValueError as error:
        raise ValueError("rows have different lengths") from error
    if not array.size and array.ndim < len(spec.shape):  # lists without items do not say how long those would be
        rest = [dims.get(length, 0) if isinstance(length, str) else length for length in spec.shape[array.ndim :]]
        array = array.reshape([*array.shape, *rest])
    bind(spec, spec.dtype, array.shape, dims)
    if array.dtype.name == spec.dtype:
        return array
    if (np.isfinite(array) & (np.abs(array) > np.finfo(spec.dtype).max)).any():
        raise ValueError(f"a number does not fit {spec.dtype}")
    return array.astype(spec.dtype)


def from_packed(packed: Packed, spec: TensorSpec, dims: dict[str, int]) -> Array:
    """Return the array of a {"dtype", "shape", "data"} object."""
    if packed.dtype not in DTYPES:
        raise ValueError(f"has dtype {packed.dtype[:20]!r}, needs {spec}")
    return _array(packed.data, 0, packed.dtype, packed.shape, spec, dims)


def from_raw(data: Buffer, spec: TensorSpec, dims: dict[str, int]) -> Array:
    """Return the array of raw little-endian bytes in C order.

    One unknown dimension follows from the byte count.
    """
    import numpy as np

    count, rest = divmod(len(data), np.dtype(spec.dtype).itemsize)
    if rest:
        raise ValueError(f"has {len(data)} bytes, which is not a whole number of {spec.dtype} values")
    return _array(data, 0, spec.dtype, _infer(spec, count, dims), spec, dims)


def from_npy(data: Buffer, spec: TensorSpec, dims: dict[str, int]) -> Array:
    """Return the array of a .npy file (NumPy's format 1.0 or 2.0), as numpy.load would read it without pickles."""
    head = bytes(data[:12])
    width = {b"\x01": 2, b"\x02": 4}.get(head[6:7], 0)
    if not head.startswith(NPY_MAGIC) or not width or len(head) < 8 + width:
        raise ValueError('is not a .npy file of format 1.0 or 2.0; write it with numpy.save("x.npy", array)')
    start = 8 + width
    length = int.from_bytes(head[8:start], "little")
    if length > MAX_NPY_HEADER:
        raise ValueError(f"has a .npy header of {length} bytes; a plain array's has at most {MAX_NPY_HEADER}")
    header = bytes(data[start : start + length]).decode("latin-1")
    order, code, fortran, shape = _read_header(header)
    return _array(data, start + length, _dtype_name(code), shape, spec, dims, order, fortran)


def _read_header(header: str) -> tuple[str, str, bool, tuple[int, ...]]:
    # numpy.lib.format reads it by ast.literal_eval, which warns, recurses and allocates on bytes from
    # outside; the three entries of a plain array are regular enough to be matched.
    dtype, fortran, shape = _SIMPLE_DTYPE.search(header), _FORTRAN.search(header), _SHAPE.search(header)
    if dtype is None or fortran is None or shape is None:
        raise ValueError("has a .npy header that is not a plain array's (no pickles, no structured dtypes)")
    lengths = tuple(int(part) for part in shape[1].split(",") if part.strip())
    return dtype[1], dtype[2], fortran[1] == "True", lengths


def _dtype_name(code: str) -> str:
    import numpy as np

    try:
        return np.dtype(code).name
    except TypeError as error:
        raise ValueError(f"has dtype {code!r}, which is unknown") from error


def _array(
    data: Buffer,
    offset: int,
    dtype: str,
    shape: Sequence[int],
    spec: TensorSpec,
    dims: dict[str, int],
    order: str = "<",
    fortran: bool = False,
) -> Array:
    """Return the array in data[offset:], all of it; bound before a byte is copied, so a huge shape costs nothing."""
    import numpy as np

    if len(shape) > MAX_RANK:
        raise ValueError(f"has {len(shape)} dimensions, needs {spec}")
    if dtype != spec.dtype and dtype in DTYPES:
        has = TensorSpec(dtype, tuple(shape))
        raise ValueError(f"has {has}, needs {spec}; send array.astype(np.{spec.dtype})")
    bind(spec, dtype, shape, dims)
    stored = np.dtype("uint8" if dtype == "bool" else dtype)
    needed = math.prod(shape) * stored.itemsize
    if len(data) - offset != needed or min(shape, default=0) < 0:
        has = TensorSpec(dtype, tuple(shape))
        raise ValueError(f"has {len(data) - offset} bytes of data, but {has} is {needed} bytes")
    flat = np.frombuffer(data, stored.newbyteorder(">" if order == ">" else "<"), offset=offset)
    if dtype == "bool" and flat.size and flat.max() > 1:
        raise ValueError("has a bool that is neither 0 nor 1")
    theirs = not (flat.flags.writeable and flat.flags.aligned)  # a buffer that can be written to is the request's own
    return flat.reshape(shape, order="F" if fortran else "C").astype(dtype, order="C", copy=theirs)


def _infer(spec: TensorSpec, count: int, dims: dict[str, int]) -> tuple[int, ...]:
    """Infer the shape of `count` elements in C order.

    At most one symbolic dimension of `spec` may be unbound. Raise ValueError for more, and when `count` does not fit.
    """
    unknown = {d for d in spec.shape if isinstance(d, str) and d not in dims}
    if len(unknown) > 1:
        names = ", ".join(sorted(unknown))
        raise ValueError(f"raw bytes do not give {names} of {spec}; send application/x-npy, which has the shape")
    known = [dims.get(d, 0) if isinstance(d, str) else d for d in spec.shape if d not in unknown]
    step = math.prod(known)
    times = sum(d in unknown for d in spec.shape)
    share = count // step if step else 0
    length = share if times == 1 else round(share ** (1 / max(times, 1)))
    if step * length**times != count:
        raise ValueError(f"has {count} {spec.dtype} values, which do not fill {spec}")
    return tuple(length if d in unknown else dims[d] if isinstance(d, str) else d for d in spec.shape)
