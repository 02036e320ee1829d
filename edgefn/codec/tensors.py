"""The declared form of a tensor: `tensor(...)` declares dtype and shape, `bind` checks an array against it.

Pure: it sees dtype names and shapes, never an array, and imports no NumPy. The wire forms are in edgefn.codec.arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from edgefn.dimensions.sizes import Dim, intersection, misfit
from edgefn.errors import SpecError
from edgefn.spec import MAX_DIMENSION, Dimension, SizeRange, TensorSpec
from edgefn.text.suggestion import did_you_mean

DType = Literal[
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
]
DTYPES: tuple[str, ...] = get_args(DType)

MAX_RANK = 8
"""Batch, time, channels and three axes of space are six; a longer shape is data written in the wrong place."""


def tensor(dtype: DType, *shape: Dimension | Dim) -> TensorSpec:
    """Return the spec of an array of `dtype` (NumPy's name) and `shape`; a dimension given by a word is symbolic.

    A symbolic dimension is any length, and the same length wherever the same word stands:

        @edge_model(inputs={"pixels": tensor("float32", "batch", 3, 224, 224)})
        def scale(x: Annotated[np.ndarray, tensor("float32", "n", 4)]) -> ...

    `Dim("length", max=512)` in place of a word says which lengths. Raise SpecError for a dtype or a dimension that is
    not one, and for two ranges of one word that leave no length.
    """
    if dtype not in DTYPES:
        raise SpecError(f"tensor dtype is {dtype!r}{did_you_mean(str(dtype), DTYPES)}")
    if len(shape) > MAX_RANK:
        raise SpecError(f"tensor has {len(shape)} dimensions; at most {MAX_RANK} are supported")
    for dimension in shape:
        if not isinstance(dimension, Dim):
            _check_dimension(dimension)
    return TensorSpec(dtype, tuple(one.name if isinstance(one, Dim) else one for one in shape), _ranges(shape))


def _ranges(shape: Sequence[Dimension | Dim]) -> dict[str, SizeRange]:
    ranges: dict[str, SizeRange] = {}
    for one in shape:
        if isinstance(one, Dim) and (allowed := one.range) is not None:
            try:
                ranges[one.name] = intersection(ranges.get(one.name, allowed), allowed)
            except ValueError:
                raise SpecError(
                    f"tensor has {one.name} as {ranges[one.name]} and as {allowed}, which exclude each other: declare "
                    f"{one.name} the same everywhere"
                ) from None
    return ranges


def _check_dimension(dimension: object) -> None:
    match dimension:
        case bool():
            fits = False
        case int():
            fits = 1 <= dimension <= MAX_DIMENSION
        case str():
            fits = dimension.isidentifier()
        case _:
            fits = False
    if not fits:
        raise SpecError(
            f"tensor dimension is {dimension!r}: use a whole number from 1 to {MAX_DIMENSION}, "
            'a word for any length, e.g. "batch", or Dim("length", max=512)'
        )


def bind(spec: TensorSpec, dtype: str, shape: Sequence[int], dims: dict[str, int]) -> None:
    """Check an array of a request against `spec` and its ranges; `dims` gains its free lengths.

    Raise ValueError with what the array has and what it needs; `dims` must not be used afterwards.
    """
    bind_shape(spec, dtype, shape, dims)
    if spec.ranges and (wrong := misfit(spec.ranges, dims)):
        raise ValueError(f"has {TensorSpec(dtype, tuple(shape))}: {wrong}")


def bind_shape(spec: TensorSpec, dtype: str, shape: Sequence[int], dims: dict[str, int]) -> None:
    """Bind like `bind`, but ignore the ranges."""
    has = TensorSpec(dtype, tuple(shape))
    if dtype != spec.dtype or len(shape) != len(spec.shape):
        raise ValueError(f"has {has}, needs {spec}")
    for needed, length in zip(spec.shape, shape, strict=True):
        expected = dims.setdefault(needed, length) if isinstance(needed, str) else needed
        if length != expected:
            known = f" with {needed} = {expected}" if isinstance(needed, str) else ""
            raise ValueError(f"has {has}, needs {spec}{known}")
