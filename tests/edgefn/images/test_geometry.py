"""How an image is brought to a size: geometry that holds for every size."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.images.geometry import Fit, Size, check_wanted, fit_into, least_decoded

SIZES = st.tuples(st.integers(1, 5000), st.integers(1, 5000))
FITS: tuple[Fit, ...] = ("cover", "contain", "stretch")


@given(SIZES, SIZES, st.sampled_from(FITS))
def test_the_box_is_inside_and_centred(source: Size, wanted: Size, fit: Fit) -> None:
    """Whatever is taken is the middle of the source, and what it becomes is inside the wanted size."""
    (left, top, right, bottom), size = fit_into(source, wanted, fit)
    assert 0 <= left < right <= source[0]
    assert 0 <= top < bottom <= source[1]
    assert math.isclose(left + right, source[0])
    assert math.isclose(top + bottom, source[1])
    assert all(1 <= got <= most for got, most in zip(size, wanted, strict=True))
    if fit != "contain":
        assert size == wanted
    else:
        assert size[0] == wanted[0] or size[1] == wanted[1]


@given(SIZES, SIZES)
def test_cover_keeps_proportions(source: Size, wanted: Size) -> None:
    """Both axes are scaled alike, and one side is taken whole."""
    (left, top, right, bottom), size = fit_into(source, wanted, "cover")
    assert math.isclose(size[0] / (right - left), size[1] / (bottom - top), rel_tol=1e-6)
    assert math.isclose(right - left, source[0]) or math.isclose(bottom - top, source[1])


@given(SIZES, SIZES, st.sampled_from(FITS))
def test_a_reduced_decode_is_twice_what_is_shown(source: Size, wanted: Size, fit: Fit) -> None:
    """Per pixel shown, at least two pixels are decoded along each axis."""
    fitting = fit_into(source, wanted, fit)
    least = least_decoded(source, fitting)
    left, top, right, bottom = fitting.box
    assert least[0] * (right - left) / source[0] >= 2 * fitting.size[0] * (1 - 1e-9)
    assert least[1] * (bottom - top) / source[1] >= 2 * fitting.size[1] * (1 - 1e-9)


@pytest.mark.parametrize(
    ("size", "fit", "message"),
    [
        ((0, 5), "cover", r"size is \(0, 5\): use \(width, height\)"),
        ((5,), "cover", r"size is \(5,\)"),
        (224, "cover", "size is 224"),
        ((2.5, 3), "cover", r"size is \(2.5, 3\)"),
        ((5, 5), "covr", r"fit is 'covr'; did you mean \"cover\"\?"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(size: Any, fit: Any, message: str) -> None:
    """With what is accepted."""
    with pytest.raises(ValueError, match=message):
        check_wanted(size, fit)
