"""The bound of an artifact's distance from the eager outputs: what it is, and how `tolerance=` says it."""

from __future__ import annotations

import math

import msgspec

from edgefn.errors import SpecError


class Bound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far an artifact may be from the eager float32 outputs on the golden samples, beside `accuracy=`.

    `max_error` is max |artifact - eager| over max |eager|, of each output; `top1` is the least share of
    samples whose argmax over the last axis agrees, or None where that has no meaning (a regressor).
    """

    max_error: float = 1e-3
    top1: float | None = 1.0


def read_tolerance(tolerance: object, where: str) -> Bound | None:
    """Return the bound that `tolerance=` asks for.

    Raise SpecError, beginning with `where`, for a wrong one.
    """
    match tolerance:
        case None:
            return None
        case Bound():
            return check_bound(tolerance, f"{where}: tolerance")
        case float() | int() if _is_error(tolerance):
            return Bound(max_error=float(tolerance), top1=None)
    raise SpecError(f"{where}: tolerance is {tolerance!r}: write a number above 0, e.g. 1e-3, or a Bound")


def check_bound(bound: Bound, where: str) -> Bound:
    """Return `bound` if it is valid. Raise SpecError that begins with `where`.

    A valid bound is one that artifacts can keep and miss.
    """
    if not _is_error(bound.max_error):
        raise SpecError(f"{where}: max_error of Bound is {bound.max_error!r}: write a number above 0, e.g. 1e-3")
    if bound.top1 is not None and not (_is_number(bound.top1) and 0 <= bound.top1 <= 1):
        raise SpecError(
            f"{where}: top1 of Bound is {bound.top1!r}: write a share between 0 and 1, e.g. 0.93, or None where the "
            "likeliest class has no meaning"
        )
    return bound


def _is_error(value: object) -> bool:
    return _is_number(value) and 0 < value < math.inf  # type: ignore[operator]  # a number


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
