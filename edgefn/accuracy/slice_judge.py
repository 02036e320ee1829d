"""One output of an artifact against eager's, slice by slice, from the answers to all samples.

PURE: answers in, verdicts out; `judge` runs the artifact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.accuracy import wording
from edgefn.accuracy.limits import PrecisionLimits
from edgefn.accuracy.measures import far, figures, ordering, shares, special, spread
from edgefn.accuracy.rules import Judging, OutputRule, Slice
from edgefn.accuracy.verdict import SliceVerdict, Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.golden import GoldenSample

    Outputs = Mapping[str, NDArray[Any]]

SCORE_FLOOR = 0.002
"""Eight bits of a score between 0 and 1 are 0.004 apart: half of that is no error."""

EXCUSED = 3.0
"""An artifact may be off by this many times eager's own distance from float64 (TorchDynamo's rule)."""

MAX_FLOOR = 0.1
"""What a format rounds, or eager itself loses, excuses no more of how far an answer moves: bfloat16 has 294 K and 296 K
and nothing between, and half of what a map of 295 ± 3 K moves is no rounding."""

LEVELS = 8.0
"""A slice that gets fewer steps of the quantiser has lost its answer."""


class SliceJudge:
    """Judges outputs by `judging` within `limits`; `steps` are the steps of the last quantiser by output."""

    def __init__(self, judging: Judging, limits: PrecisionLimits, steps: Mapping[str, float]) -> None:
        self._judging, self._limits, self._steps = judging, limits, steps

    def aligned(self, given: Outputs, wanted: Outputs) -> Outputs:
        """Return an answer with rows of nearly equal scores in eager's order."""
        margins = {order.scores: self._margin(order.scores, wanted[order.scores]) for order in self._judging.orders}
        return ordering.aligned(given, wanted, self._judging.orders, margins)

    def _margin(self, scores: str, wanted: NDArray[Any]) -> float:
        """Return the difference of two scores below which their order does not matter.

        Both may be off by the allowed error.
        """
        rule = self._judging.outputs.get(scores, OutputRule())
        largest = float(np.abs(special.plain(wanted, rule.masks)).max(initial=0.0)) if wanted.size else 0.0
        floors = [max(self._limits.error * cut.spread, self.floor(cut, rule, largest)) for cut in rule.slices]
        return 2 * max(floors, default=0.0)

    def of(self, name: str, real: Sequence[GoldenSample], answers: Sequence[Outputs]) -> list[SliceVerdict]:
        """Return the verdicts on the output called `name`, one for each slice."""
        eager = [sample.outputs[name] for sample in real]
        found = [answer[name] for answer in answers]
        rule = self._judging.outputs.get(name, OutputRule())
        if not any(array.size for array in eager):
            if name in self._judging.accuracy.unproven:
                return [SliceVerdict(name, name, "right", 0.0, self._limits.error)]
            return [self._unshown(name, name, 0.0, wording.empty(name, len(real)))]
        if not rule.slices:
            return [self._exact(name, rule, found, eager)]
        shape = [size if size >= 0 else "free" for size in _common([array.shape for array in eager])]
        mean = spread.field([array for array in eager if array.size], shape, rule.masks).mean
        return [self._slice(name, cut, rule, found, eager, mean) for cut in rule.slices]

    def _exact(
        self, name: str, rule: OutputRule, found: Sequence[NDArray[Any]], eager: Sequence[NDArray[Any]]
    ) -> SliceVerdict:
        """Judge an output of whole numbers, booleans or text: each element is equal, or it is not."""
        equal = sum(int((one == other).sum()) for one, other in zip(found, eager, strict=True))
        total = sum(array.size for array in eager)
        off, limit = 1 - equal / total, 1 - self._limits.top1
        still = all(np.array_equal(array, eager[0]) for array in eager)
        if off > limit:
            return SliceVerdict(
                name, name, "wrong", off, limit or 1e-9, reason=wording.unequal(name, total - equal, total)
            )
        if lost := shares.lost(found, eager):
            return SliceVerdict(name, name, "wrong", off, limit or 1e-9, reason=wording.lost(name, *lost))
        if still and not rule.fixed and name not in self._judging.accuracy.unproven:
            return self._unshown(name, name, off, wording.still(name, len(eager)))
        return SliceVerdict(name, name, "right", off, limit or 1e-9)

    def _unshown(self, output: str, name: str, error: float, reason: str) -> SliceVerdict:
        return SliceVerdict(output, name, "not shown", error, self._limits.error, reason=reason)

    def _slice(
        self,
        output: str,
        cut: Slice,
        rule: OutputRule,
        found: Sequence[NDArray[Any]],
        eager: Sequence[NDArray[Any]],
        mean: NDArray[np.float64],
    ) -> SliceVerdict:
        seen = figures.of(cut, rule, found, eager, mean)
        low, high = _extent([cut.of(array) for array in eager], rule.masks)
        floor = self.floor(cut, rule, max(abs(low), abs(high)))
        if not cut.spread:
            return self._still(output, cut, rule, seen.error, max(abs(low), abs(high)), floor, len(eager))
        levels = (high - low) / self._steps[output] if self._steps.get(output) else None
        reason = self._wrong(cut, rule, seen, floor, levels) or self._far(cut, rule, found, eager)
        moves = self._moves(cut, floor)
        return SliceVerdict(
            output=output,
            slice=cut.name,
            verdict="wrong" if reason else "right",
            error=seen.error / moves,
            limit=max(self._limits.error, floor / moves),
            worst=seen.worst / moves,
            sample=seen.sample,
            bias=seen.bias / moves,
            gain=seen.gain,
            tail=seen.tail,
            spread=cut.spread,
            distinct=seen.distinct,
            levels=levels,
            reason=reason,
        )

    def _still(
        self, output: str, cut: Slice, rule: OutputRule, error: float, largest: float, floor: float, count: int
    ) -> SliceVerdict:
        """Judge a slice that is the same for all samples: equal is no proof, unless it is meant to be."""
        allowed = max(floor, self._limits.error * largest)
        unproven = self._judging.accuracy.unproven
        known = rule.fixed or output in unproven or cut.name in unproven
        word: Word = "wrong" if error > allowed else "right" if known else "not shown"
        reason = {
            "wrong": wording.off_constant(cut.name, error, largest),
            "right": "",
            "not shown": wording.still(cut.name, count),
        }[word]
        return SliceVerdict(
            output, cut.name, word, error / largest if largest else error, self._limits.error, reason=reason
        )

    def floor(self, cut: Slice, rule: OutputRule, largest: float) -> float:
        """Return the error, in the output's own unit, that no artifact of the precision can be blamed for."""
        floor = self._limits.rounding * largest
        if self._limits.exact:
            return min(max(floor, EXCUSED * cut.noise), MAX_FLOOR * cut.spread) if cut.spread else floor
        if not rule.unit:
            return floor
        return max(floor, min(SCORE_FLOOR, self._limits.error * max((one.spread for one in rule.slices), default=0)))

    def _moves(self, cut: Slice, floor: float) -> float:
        """Return the yardstick of an error: how far the slice moves.

        Scores that hardly move are measured by their floor: the yardstick is the one whose error limit is the floor.
        """
        return cut.spread if self._limits.exact else max(cut.spread, floor / self._limits.error)

    def _wrong(
        self, cut: Slice, rule: OutputRule, seen: figures.SliceFigures, floor: float, levels: float | None
    ) -> str:
        """Return why the slice is wrong, or nothing."""
        limits, moves = self._limits, cut.spread
        if seen.unmasked > limits.masks:
            return wording.masks(cut.name, seen.unmasked)
        if levels is not None and levels < LEVELS:
            return wording.levels(cut.name, levels)
        if seen.distinct < figures.DISTINCT and seen.eager_distinct > figures.MANY:
            return wording.distinct(cut.name, seen.distinct)
        if seen.error > max(limits.error * moves, floor):
            return wording.off(cut.name, seen.error / moves, limits.error, seen)
        if seen.worst > max(self.one(moves), limits.sample * floor):
            return wording.off_once(cut.name, seen.worst / moves, seen.sample)
        if (channel := self._channel(cut, seen, floor)) is not None:
            return wording.off_channel(cut.name, channel, seen.channels[channel], cut.channels[channel], rule)
        if seen.error <= floor:
            return ""
        if abs(seen.bias) > max(limits.bias * moves, floor):
            return wording.biased(cut.name, seen.bias / moves)
        if seen.gain is not None and abs(seen.gain - 1) > limits.gain:
            return wording.scaled(cut.name, seen.gain)
        if seen.tail is not None and seen.tail > limits.tail:
            return wording.tail(cut.name, seen.tail)
        return ""

    def _far(self, cut: Slice, rule: OutputRule, found: Sequence[NDArray[Any]], eager: Sequence[NDArray[Any]]) -> str:
        """Return how values that lie far from all others are wrong, or nothing."""
        if rule.low is None and rule.high is None:
            return ""
        own, reference = ([cut.of(array) for array in side] for side in (found, eager))
        count, error, moves, largest = far.off(own, reference, rule)
        is_off = count and error > max(self._limits.error * moves, self._limits.rounding * largest)
        return wording.far(cut.name, count, error / moves) if is_off else ""

    def one(self, moves: float) -> float:
        """Return the error that one sample, or one size, may have."""
        return min(self._limits.sample * self._limits.error, self._limits.sample_most) * moves

    def _channel(self, cut: Slice, seen: figures.SliceFigures, floor: float) -> int | None:
        """Return the worst channel that is out of its limit: a dead one of eighty does not show in their mean."""
        if not cut.channels or not seen.channels:
            return None
        own = np.array(cut.channels)
        # A channel that hardly moves beside its siblings is held to what they move by.
        moves = np.where(own > 0, np.maximum(own, cut.spread / 4), cut.spread)
        allowed = np.maximum(self._limits.channel * self._limits.error * moves, self._limits.channel * floor)
        over = np.array(seen.channels) / allowed
        worst = int(np.argmax(over))
        return worst if over[worst] > 1 else None


def _common(shapes: Sequence[tuple[int, ...]]) -> list[int]:
    """Return the lengths that all shapes have, -1 where they differ."""
    return [sizes[0] if len(set(sizes)) == 1 else -1 for sizes in zip(*shapes, strict=True)]


def _extent(parts: Sequence[NDArray[Any]], masks: special.Masks) -> tuple[float, float]:
    """Return the least and the greatest value that is no mask."""
    plain = [special.plain(part, masks) for part in parts if part.size]
    lows = [float(np.nanmin(one)) for one in plain if np.isfinite(one).any()]
    highs = [float(np.nanmax(one)) for one in plain if np.isfinite(one).any()]
    return min(lows, default=0.0), max(highs, default=0.0)
