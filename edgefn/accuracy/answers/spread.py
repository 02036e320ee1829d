"""Measure how far eager's answers move between samples, part by part: the yardstick of every number.

A part's name is its path in the answer, e.g. ".price" or "[].score"; the parts of a list share one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from edgefn.accuracy.answers.values import LONG, Picture, Plain, is_array, is_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_PARTS = 10_000
"""Parts whose spread is kept: an answer keyed by what is in its sample has another part in each."""

MAX_DECIMALS = 6
STILL = 1e-6
"""A part that moves by less than this, relative to its largest, does not move: float32 rounds by as much."""


class Spread(msgspec.Struct, frozen=True):
    """How one part of eager's answer moves between samples.

    size      standard deviation over the samples; of an array, over the samples at each place
    largest   largest absolute value, `least` the smallest value
    count     values seen
    step      what the values were rounded to, e.g. 0.01; 0.0 where they were not
    """

    size: float = 0.0
    largest: float = 0.0
    least: float = 0.0
    count: int = 0
    step: float = 0.0

    @property
    def moves(self) -> bool:
        """Tell whether the part moves between samples, so that its spread is known."""
        return self.count > 1 and self.size > STILL * self.largest

    @property
    def is_score(self) -> bool:
        """Tell whether all values lie between 0 and 1."""
        return self.count > 0 and self.least >= 0 and self.largest <= 1


UNKNOWN = Spread()
Spreads = Mapping[str, Spread]


def spreads(answers: Iterable[Plain]) -> dict[str, Spread]:
    """Return the spread of each part of eager's plain `answers`."""
    numbers: dict[str, list[float]] = {}
    arrays: dict[str, list[NDArray[np.float64]]] = {}
    for answer in answers:
        for path, value in _walk(answer, ""):
            if is_array(value):
                arrays.setdefault(path, []).append(value.astype("float64"))
            elif math.isfinite(value):
                numbers.setdefault(path, []).append(value)
    found = {path: of_numbers(values) for path, values in numbers.items()}
    found |= {path: _of_arrays(values) for path, values in arrays.items()}
    return dict(list(found.items())[:MAX_PARTS])


def within(path: str, number: int, length: int, item: Plain) -> str:
    """Return the path of a list's item: by its place in a short list of numbers, else one for all items."""
    return f"{path}[{number}]" if length <= LONG and is_number(item) else f"{path}[]"


def of_numbers(values: Sequence[float]) -> Spread:
    """Return the spread of one part's finite values."""
    largest = max(map(abs, values))
    scaled = [value / largest for value in values] if largest else values  # squares of the largest floats overflow
    mean = math.fsum(scaled) / len(scaled)
    variance = math.fsum((value - mean) ** 2 for value in scaled) / max(1, len(scaled) - 1)
    size = math.sqrt(variance) * (largest or 1.0)
    step = step_of(values)
    return Spread(size, largest, min(values), len(values), step if 0 < step <= size else 0.0)


def _walk(value: Plain, path: str) -> Iterator[tuple[str, Plain]]:
    """Yield the numbers and the arrays of floats in `value`, each with its path."""
    if is_array(value):
        if value.dtype.kind == "f":
            yield path, value
    elif is_number(value):
        yield path, float(value)
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _walk(member, f"{path}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _walk(item, within(path, number, len(value), item))
    else:
        assert value is None or isinstance(value, str | bytes | bool | Picture)


def step_of(values: Sequence[float]) -> float:
    """Return the coarsest power of ten that all `values` are multiples of; 0.0 when there is none, or one value."""
    if len(set(values)) < 2 or max(map(abs, values)) > 1e12:
        return 0.0
    places = (places for places in range(MAX_DECIMALS + 1) if all(round(one, places) == one for one in values))
    first = next(places, None)
    return 0.0 if first is None else float(10.0**-first)


def _of_arrays(values: Sequence[NDArray[np.float64]]) -> Spread:
    import numpy as np

    alike = len(values) > 1 and all(one.shape == values[0].shape for one in values)
    stacked = np.stack(values) if alike else np.concatenate([one.reshape(-1) for one in values])
    finite = np.where(np.isfinite(stacked), stacked, np.nan)
    if not finite.size or np.isnan(finite).all():
        return UNKNOWN
    masked = np.ma.masked_invalid(finite)
    with np.errstate(all="ignore"):  # squares of the largest floats overflow: all is within such a spread
        variance = masked.var(axis=0, ddof=1).mean() if alike else masked.var()
    size = 0.0 if variance is np.ma.masked else math.sqrt(float(variance))
    return Spread(size, float(np.abs(masked).max()), float(masked.min()), int(masked.count()))
