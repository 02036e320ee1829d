"""Which layers stay in float: the fewest, costliest first, until the bound holds. Pure: the caller scores.

A layer's cost is what the error falls by when it alone goes back to float. Costs nearly add up where errors are small,
so the order of one scan serves for the whole search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

MOST = 0.34
"""Share of the layers that may go back to float; past it the artifact is no int8 one any more."""


class Score(NamedTuple):
    """How a network with some layers in float did on the validation part.

    passed   whether the bound holds
    error    mean square error of the scores: it moves where agreement, a count, does not yet
    """

    passed: bool
    error: float


class Found(NamedTuple):
    """The layers to keep in float, the score with them, and each layer's cost as far as a scan was needed."""

    kept: tuple[str, ...]
    score: Score
    costs: dict[str, float]


def search(
    layers: Sequence[str], score: Callable[[tuple[str, ...]], Score], forced: tuple[str, ...] = (), most: float = MOST
) -> Found:
    """The layers that stay in float: those `forced`, and of the others the fewest of the costliest that suffice.

    Where none suffice, no more than those forced are kept: `Found.score` then tells that the bound is missed.
    Calls `score` once when the bound holds at once; else once a layer, and some log₂ times more.
    """
    start = score(forced)
    if start.passed:
        return Found(forced, start, {})
    costs = {name: start.error - score((*forced, name)).error for name in layers if name not in forced}
    ranked = sorted(costs, key=lambda name: -costs[name])[: int(len(layers) * most)]
    tried: dict[int, Score] = {0: start}

    def passes(count: int) -> bool:
        if count not in tried:
            tried[count] = score((*forced, *ranked[:count]))
        return tried[count].passed

    if not ranked or not passes(len(ranked)):
        return Found(forced, start, costs)
    count = fewest(passes, len(ranked))
    return Found((*forced, *ranked[:count]), tried[count], costs)


def fewest(passes: Callable[[int], bool], most: int) -> int:
    """A count that passes while the one below it does not, by bisection between 0, which fails, and `most`."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high
