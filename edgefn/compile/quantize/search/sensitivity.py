"""Which layers stay in float: the fewest, costliest first, until the bound holds. Pure: the caller scores.

A layer's cost is what the error falls by when it alone goes back to float. Costs nearly add up where errors are small,
so one order serves for the whole search. An estimate of it is free; a scan, one run for each layer, is exact, and is
made only where it may help: not where all that may go back to float changes little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

MAX_FLOAT_SHARE = 0.34
"""The share of the layers that may go back to float; above it the artifact does not count as int8."""

HOPELESS = 0.5
"""With the estimated worst layers in float more of the error than this is left: no scan would find others to matter."""


class Score(NamedTuple):
    """How a network with some layers in float did on the validation part.

    passed   whether the bound holds
    error    square error of the outputs: it moves where agreement, a count, does not yet
    """

    passed: bool
    error: float


class FloatLayers(NamedTuple):
    """The layers to keep in float, the score with them, and each layer's cost as far as a scan was needed.

    `hopeless` means that the search was given up: all layers that may stay in float would not be enough.
    """

    kept: tuple[str, ...]
    score: Score
    costs: dict[str, float]
    hopeless: bool = False


Scorer = Callable[[tuple[str, ...]], Score]


class Search:
    """A search for the fewest layers of `layers` that must stay in float, beside those `forced`.

    score     scores the network with the given layers in float
    estimate  each layer's cost as far as it is known without a run
    spare     whether all the given layers may stay in float together
    enough    whether the time for a scan is over
    """

    def __init__(
        self,
        layers: Sequence[str],
        score: Scorer,
        forced: tuple[str, ...] = (),
        estimate: Mapping[str, float] | None = None,
        spare: Callable[[Sequence[str]], bool] = lambda kept: True,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self._layers = [name for name in layers if name not in forced]
        self._most = int(len(layers) * MAX_FLOAT_SHARE)
        self._score, self._forced = score, forced
        self._estimate, self._spare, self._enough = estimate or {}, spare, enough

    def run(self) -> FloatLayers:
        """Search, and return the layers to keep in float.

        If no allowed set of layers suffices, only the forced layers are kept, and the score shows the failure.
        """
        start = self._score(self._forced)
        if start.passed or not self._most:
            return FloatLayers(self._forced, start, {})
        if self._estimate:
            ranked = self._ranked(self._estimate)
            best = self._score((*self._forced, *ranked))
            if best.passed:
                return self._fewest(ranked, best, {})
            if not best.error < HOPELESS * start.error:
                return FloatLayers(self._forced, start, {}, hopeless=True)
        costs = self._scan(start.error)
        ranked = self._ranked(costs)
        best = self._score((*self._forced, *ranked))
        if ranked and best.passed:
            return self._fewest(ranked, best, costs)
        return FloatLayers(self._forced, start, costs)

    def _ranked(self, costs: Mapping[str, float]) -> list[str]:
        """Rank the costliest layers, as many as may stay in float together."""
        found: list[str] = []
        for name in sorted(costs, key=lambda name: -costs[name]):
            if len(found) < self._most and name in self._layers and self._spare([*self._forced, *found, name]):
                found.append(name)
        return found

    def _scan(self, error: float) -> dict[str, float]:
        """Measure by how much the error falls with each layer alone in float.

        The layers with the largest estimate come first. Layers for which the time was too short are left out.
        """
        costs: dict[str, float] = {}
        for name in sorted(self._layers, key=lambda name: -self._estimate.get(name, 0.0)):
            if self._enough():
                break
            costs[name] = error - self._score((*self._forced, name)).error
        return costs

    def _fewest(self, ranked: Sequence[str], best: Score, costs: dict[str, float]) -> FloatLayers:
        tried = {len(ranked): best}

        def passes(count: int) -> bool:
            if count not in tried:
                tried[count] = self._score((*self._forced, *ranked[:count]))
            return tried[count].passed

        count = fewest(passes, len(ranked))
        return FloatLayers((*self._forced, *ranked[:count]), tried[count], costs)


def fewest(passes: Callable[[int], bool], most: int) -> int:
    """Find a count that passes while the count below it does not.

    Bisects between 0, which fails, and `most`.
    """
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high
