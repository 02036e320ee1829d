"""An artifact on inputs that are made of a model's samples: at other sizes, mirrored, mixed, dimmed.

One session answers them in a mixed order, and between other sizes a sample comes again: an engine may be right alone
and wrong after another size.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edgefn.accuracy import wording
from edgefn.accuracy.limits import PrecisionLimits
from edgefn.accuracy.measures import special
from edgefn.accuracy.measures.invariants import broken
from edgefn.accuracy.measures.structure import mismatch
from edgefn.accuracy.rules import Judging, OutputRule, Slice
from edgefn.accuracy.slice_judge import SliceJudge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.golden import GoldenSample, Pairs
    from edgefn.session import Session

    Outputs = Mapping[str, NDArray[Any]]


class Derived:
    """Runs `session` on the pairs that are made of samples, and judges each answer by itself."""

    def __init__(
        self, session: Session, pairs: Pairs, judging: Judging, limits: PrecisionLimits, slices: SliceJudge
    ) -> None:
        self._session, self._pairs, self._judging = session, pairs, judging
        self._limits, self._slices = limits, slices

    def run(self, real: Sequence[GoldenSample], answers: Sequence[Outputs]) -> str:
        """Return what is wrong at other sizes and with stress inputs.

        They run one after the other in a mixed order. Between other sizes a sample comes again: its answer must be the
        one that it had.
        """
        least = min(self._pairs.sizes, key=_size, default=None)
        made = [(f"at {wording.shapes(pair.inputs)}", pair, True) for pair in self._pairs.sizes]
        if self._limits.exact:
            made += [("for an input made of its samples", pair, False) for pair in self._pairs.stress]
        random.Random(len(made)).shuffle(made)
        # The least comes first: an engine may keep for longer ones what it chose for lengths of 1.
        made.sort(key=lambda one: one[1] is not least)
        for number, (where, pair, resized) in enumerate(made, 1):
            try:
                outputs: Outputs = self._session.run(pair.inputs)
            except ValueError:  # numbers that an engine declines, which nobody has sent: no wrong answer
                if resized:
                    raise
                continue
            reason = mismatch(outputs, pair.outputs, self._judging)
            if not reason and any(np.any(array) for array in pair.inputs.values()):
                # Of zeros alone only NaN and infinity are judged: all masked or no contrast, the answer has no meaning.
                reason = self._differs(self._slices.aligned(outputs, pair.outputs), pair)
            if reason:
                return f"{where}: {reason}"
            place = number % len(real)
            if resized and not self._again(real[place], answers[place]):
                return "after another size it gives a sample another answer than before: its engine keeps state"
        return ""

    def _again(self, sample: GoldenSample, answer: Outputs) -> bool:
        """Tell whether a sample still gets the answer that it got before."""
        outputs = self._session.run(sample.inputs)
        if mismatch(outputs, sample.outputs, self._judging):
            return False
        return all(_same(outputs[name], answer[name]) for name in answer)

    def _differs(self, outputs: Outputs, pair: GoldenSample) -> str:
        for name, rule in self._judging.outputs.items():
            wanted, given = pair.outputs[name], outputs[name]
            if not rule.slices:
                off = float((np.asarray(given) != np.asarray(wanted)).mean()) if wanted.size else 0.0
                if off > 1 - self._limits.top1:
                    return wording.unequal(name, round(off * wanted.size), wanted.size)
                continue
            if reason := broken(name, rule, given, wanted, self._limits.invariant):
                return reason
            for cut in rule.slices:
                if reason := self._slice_differs(cut, rule, cut.of(given), cut.of(wanted)):
                    return reason
        return ""

    def _slice_differs(self, cut: Slice, rule: OutputRule, given: NDArray[Any], wanted: NDArray[Any]) -> str:
        if not wanted.size:
            return ""
        unmasked = float((rule.masks.of(given) != rule.masks.of(wanted)).mean())
        if unmasked > self._limits.masks:
            return wording.masks(cut.name, unmasked)
        reference, own = special.plain(wanted, rule.masks), special.plain(given, rule.masks)
        known = np.isfinite(reference) & np.isfinite(own)
        if not known.any():
            return ""
        reference, own = reference[known], own[known]
        largest = float(np.abs(reference).max())
        moves = max(cut.spread, float(reference.std()))
        error = float(np.sqrt(np.square(own - reference).mean()))
        floor = self._limits.sample * self._slices.floor(msgspec.structs.replace(cut, spread=moves), rule, largest)
        if error > max(self._slices.one(moves), floor, 0.0 if moves else self._limits.error * largest):
            return wording.off_by(cut.name, error / moves if moves else math.inf)
        return ""


def _size(pair: GoldenSample) -> int:
    """Return how many numbers go in."""
    return sum(array.size for array in pair.inputs.values())


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Tell whether two answers of one engine to one input are equal, but for the order of its sums."""
    if not np.issubdtype(one.dtype, np.floating):
        return np.array_equal(one, other)
    return bool(np.allclose(one, other, rtol=1e-4, atol=1e-5 * float(np.abs(np.nan_to_num(other)).max(initial=0.0))))
