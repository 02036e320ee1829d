"""Sizes and durations as people write them ("256MiB", "2s") and as the code keeps them (bytes, seconds)."""

from __future__ import annotations

import re

from edgefn.errors import SpecError

_BYTES = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


def parse_bytes(text: str | int, *, what: str = "size") -> int:
    """Parse `text`, e.g. "256MiB", "20MB" or a whole number of bytes; return bytes. Raise SpecError with `what`."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    return int(_parse(text, _BYTES, what, example="256MiB"))


def parse_duration(text: str | float, *, what: str = "duration") -> float:
    """Parse `text`, e.g. "500ms", "2s", "1min" or a number of seconds; return seconds.

    Raise SpecError with `what`.
    """
    if isinstance(text, int | float) and not isinstance(text, bool) and 0 <= text < float("inf"):
        return float(text)
    return _parse(text, _SECONDS, what, example="2s")


def _parse(text: object, units: dict[str, float] | dict[str, int], what: str, *, example: str) -> float:
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] not in units:
        raise SpecError(f'{what} is {text!r}: write a number and one of {", ".join(units)}, e.g. "{example}"')
    return float(match[1]) * units[match[2]]


def format_bytes(count: float) -> str:
    """Format `count` bytes for people: "18.7 MB", with decimal units as disks and networks use them."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def format_duration(seconds: float) -> str:
    """Format `seconds` for people: "850 µs", "12.3 ms", "2.0 s", "3 min 5 s"."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
