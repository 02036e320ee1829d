"""NumPy's dates and durations as text: exact in every unit, and read back."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.codec.result.iso8601 import dates, durations
from edgefn.codec.result.unholdable import Unholdable

UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"]
SECONDS = {"W": 604800, "D": 86400, "h": 3600, "m": 60, "s": 1}
FRACTIONS = {"ms": 10**3, "us": 10**6, "ns": 10**9, "ps": 10**12, "fs": 10**15, "as": 10**18}


@given(st.sampled_from(UNITS), st.lists(st.integers(-(10**5), 10**6), min_size=1, max_size=5))
def test_a_date_is_read_back_by_numpy(unit: str, counts: list[int]) -> None:
    """The very instant, whatever the unit."""
    array = np.array(counts, f"M8[{unit}]")
    texts = dates(array).tolist()
    np.testing.assert_array_equal(np.array(texts, array.dtype), array)


@given(st.datetimes(), st.sampled_from(["s", "ms", "us"]))
def test_a_date_is_read_back_by_python(moment: datetime.datetime, unit: str) -> None:
    """As datetime.fromisoformat reads it."""
    array = np.array(moment, f"M8[{unit}]")
    assert datetime.datetime.fromisoformat(dates(array).item()) == array.astype("M8[us]").item()


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("2026", "Y", "2026"),
        ("2026-07", "M", "2026-07"),
        ("2026-07-01", "D", "2026-07-01"),
        ("2026-07-01T05", "h", "2026-07-01T05:00:00"),
        ("2026-07-01T05:06", "m", "2026-07-01T05:06:00"),
        ("2026-07-01T05:06:07.000000009", "ns", "2026-07-01T05:06:07.000000009"),
        ("NaT", "ns", None),
        ("NaT", "generic", None),
    ],
)
def test_a_date_has_the_precision_of_its_unit(text: str, unit: str, expected: str | None) -> None:
    """Hours and minutes with the seconds that most readers want; NaT is None; big-endian and strides are no matter."""
    array = np.array([text] * 4, "M8" if unit == "generic" else f"M8[{unit}]")
    assert dates(array).tolist() == [expected] * 4
    assert dates(array.astype(array.dtype.newbyteorder(">")).reshape(2, 2)[::-1]).tolist() == [[expected] * 2] * 2
    assert dates(array[0:1].reshape(())).item() == expected


@given(st.sampled_from(UNITS), st.integers(1, 9), st.integers(-(2**62), 2**62))
def test_a_duration_is_exact(unit: str, step: int, count: int) -> None:
    """What the text counts, in whole numbers, is the count times its unit."""
    text = durations(np.array([count], f"m8[{step}{unit}]")).item()
    sign, body = (-1, text[1:]) if text.startswith("-") else (1, text)
    if unit in ("Y", "M", "W", "D"):
        assert (body[0], body[-1], sign * int(body[1:-1])) == ("P", unit, count * step)
        return
    letter, per_second = ("S", FRACTIONS.get(unit, 1)) if unit not in ("h", "m") else (unit.upper(), 1)
    whole, _, part = body.removeprefix("PT").removesuffix(letter).partition(".")
    assert not part.endswith("0")
    read = int(whole) * per_second + int(part.ljust(18, "0") or 0) * per_second // 10**18
    assert sign * read == count * step


def test_durations_in_words() -> None:
    """As msgspec writes Python's own."""
    array = np.array([[1500, -1], [0, "NaT"]], "m8[ms]")
    assert durations(array).tolist() == [["PT1.5S", "-PT0.001S"], ["PT0S", None]]
    assert durations(np.array(["NaT"], "m8")).tolist() == [None]
    with pytest.raises(Unholdable, match="without a unit"):
        durations(np.array([3], "m8"))


@pytest.mark.parametrize("dtype", ["M8[W]", "M8[25s]"])
def test_a_date_that_numpy_would_write_as_another_is_refused(dtype: str) -> None:
    """Counted in days or seconds it passes 64 bits."""
    array = np.array([2**61, 0], np.int64).view(dtype)
    assert dates(array[1:]).tolist() == [str(array[1])]
    with pytest.raises(Unholdable, match="beyond what NumPy can write"):
        dates(array)
