"""tensor(...): what it accepts, and how symbolic dimensions bind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn import SpecError, tensor
from edgefn.codec.tensors import DTYPES, bind
from edgefn.spec import TensorSpec

NAMES = st.sampled_from(["batch", "n", "height"])
SPECS = st.builds(
    lambda dtype, shape: tensor(dtype, *shape),
    st.sampled_from(DTYPES),
    st.lists(NAMES | st.integers(1, 5), max_size=4),
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("float23", 3), r"dtype is 'float23'; did you mean \"float32\"\?"),
        ((float, 3), "dtype is <class 'float'>"),
        (("float32", 0), "dimension is 0: use a whole number from 1"),
        (("float32", -1), "dimension is -1"),
        (("float32", True), "dimension is True"),
        (("float32", 2.0), "dimension is 2.0"),
        (("float32", "batch size"), "dimension is 'batch size'"),
        (("float32", None), "dimension is None"),
        (("float32", 2**31), "dimension is 2147483648"),
        (("float32", *range(1, 10)), "9 dimensions; at most 8"),
    ],
)
def test_a_tensor_that_is_none_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    """At import, with what is accepted."""
    with pytest.raises(SpecError, match=message):
        tensor(*arguments)


@given(SPECS, st.dictionaries(NAMES, st.integers(1, 5), min_size=3, max_size=3))
def test_a_shape_made_from_the_spec_binds(spec: TensorSpec, lengths: dict[str, int]) -> None:
    """Every choice of lengths fits, is remembered, and then only the same lengths fit."""
    shape = [lengths[d] if isinstance(d, str) else d for d in spec.shape]
    dims: dict[str, int] = {}
    bind(spec, spec.dtype, shape, dims)
    assert dims == {d: lengths[d] for d in spec.shape if isinstance(d, str)}
    bind(spec, spec.dtype, shape, dims)
    if shape:
        with pytest.raises(ValueError, match="needs"):
            bind(spec, spec.dtype, [shape[0] + 1, *shape[1:]], dims)


def test_a_mismatch_says_has_and_needs() -> None:
    """Wrong dtype, rank, length, and a symbol bound to another length."""
    spec = tensor("float32", "n", "n", 3)
    for dtype, shape, message in (
        ("float64", (2, 2, 3), r"has float64\[2, 2, 3\], needs float32\[n, n, 3\]"),
        ("float32", (2, 2), r"has float32\[2, 2\], needs float32\[n, n, 3\]"),
        ("float32", (2, 2, 4), r"has float32\[2, 2, 4\], needs float32\[n, n, 3\]"),
        ("float32", (2, 5, 3), r"has float32\[2, 5, 3\], needs float32\[n, n, 3\] with n = 2"),
    ):
        with pytest.raises(ValueError, match=message):
            bind(spec, dtype, shape, {})
