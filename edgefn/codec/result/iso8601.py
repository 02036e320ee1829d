"""NumPy's datetime64 and timedelta64 as ISO 8601 text, exact in every unit; NaT is None.

A date has the precision of its unit ("2026", "2026-07", "2026-07-01", "2026-07-01T12:00:00.000000001"), hours and
minutes with the seconds that most readers want. A duration counts in its unit ("P3M", "P2W", "PT0.25S").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefn.codec.result.unholdable import Unholdable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TO_SECONDS = {"h": ":00:00", "m": ":00"}
_INT64_MAX = 2**63 - 1
_CALENDAR = {"Y", "M", "W", "D"}
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9, "ps": 12, "fs": 15, "as": 18}
"""Decimal places of a second that the unit counts in."""


def dates(array: NDArray[np.datetime64]) -> NDArray[np.object_]:
    """Return the text of each element, or None."""
    import numpy as np

    unit, step = np.datetime_data(array.dtype)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)  # datetime_as_string takes no notice of it
    _check_counts(array, step * 7 if unit == "W" else step)
    texts = np.asarray(np.datetime_as_string(array)).astype(object)
    if suffix := _TO_SECONDS.get(unit):
        texts = np.asarray(texts + suffix, dtype=object)
    texts[np.isnat(array)] = None
    return texts


def _check_counts(array: NDArray[np.datetime64], factor: int) -> None:
    """Raise Unholdable where NumPy would overflow, and write another date, as it counts in smaller units."""
    import numpy as np

    counts = array.astype(np.int64)[~np.isnat(array)]
    if factor > 1 and counts.size and max(int(counts.max()), -int(counts.min())) > _INT64_MAX // factor:
        raise Unholdable(f"has dates of {array.dtype} beyond what NumPy can write")


def durations(array: NDArray[np.timedelta64]) -> NDArray[np.object_]:
    """Return the text of each element, or None. Raise Unholdable where the numbers have no unit."""
    import numpy as np

    unit, step = np.datetime_data(array.dtype)
    missing = np.isnat(array)
    if unit == "generic" and not missing.all():
        raise Unholdable('is a timedelta64 without a unit; give it one, e.g. "timedelta64[s]"')
    texts = np.empty(array.shape, object)
    counts = array.astype(np.int64).ravel().tolist()
    texts.ravel()[:] = [_duration(count * step, unit) for count in counts]
    texts[missing] = None
    return texts


def _duration(count: int, unit: str) -> str:
    sign, size = "-" if count < 0 else "", abs(count)
    if unit in _CALENDAR:
        return f"{sign}P{size}{unit}"
    if unit in _TO_SECONDS:
        return f"{sign}PT{size}{unit.upper()}"
    digits = _DIGITS.get(unit, 0)
    whole, part = divmod(size, 10**digits)
    fraction = f".{part:0{digits}d}".rstrip("0") if part else ""
    return f"{sign}PT{whole}{fraction}S"
