"""Run an artifact on its golden pairs and judge what comes out, cheapest checks first.

One session answers all pairs, other sizes in a mixed order and the first sample once more at the end: an engine may be
right alone and wrong after another size.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edgefn.accuracy import classes, figures, special, spread, wording
from edgefn.accuracy.classes import Top1
from edgefn.accuracy.judging import FEW, of_samples
from edgefn.accuracy.limits import Limits, limits_of
from edgefn.accuracy.rules import Judging, OutputRule, Slice
from edgefn.accuracy.verdict import Agreement, SliceVerdict, Word, refused, worst_of
from edgefn.batching import Accompanied

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.backends.backend import Session
    from edgefn.bundle.config import Bound
    from edgefn.golden import GoldenSample, Pairs

    Outputs = Mapping[str, NDArray[Any]]

SCALE_FLOOR = 1e-6
"""Least max |eager| that `max_error` is taken relative to."""

SCORE_FLOOR = 0.002
"""Eight bits of a score between 0 and 1 are 0.004 apart: half of that is no error."""

EXCUSED = 3.0
"""An artifact may be off by this many times eager's own distance from float64 (TorchDynamo's rule)."""

LEVELS = 8.0
"""A slice that gets fewer steps of the quantiser has lost its answer."""


def judge(
    session: Session,
    pairs: Pairs,
    judging: Judging,
    precision: str,
    *,
    bound: Bound | None = None,
    steps: Mapping[str, float] | None = None,
) -> Agreement:
    """Return how `session`, of an artifact of `precision`, does on `pairs`.

    `bound` is what `tolerance=` asks for beside; `steps` are the steps of the last quantiser by output. An exception of
    the session passes through.
    """
    real = [*pairs.samples, *pairs.held_out]
    if not real:
        return refused("not shown", "there are no golden samples", 0)
    limits = limits_of(precision, judging.accuracy, judging.coarse)
    if not judging.outputs:
        judging = of_samples(real, judging.accuracy)
    return _Trial(session, pairs, judging, limits, bound, steps or {}).run(real)


def judge_served(
    session: Session,
    pairs: Pairs,
    judging: Judging,
    precision: str,
    *,
    bound: Bound | None = None,
    batched: bool = False,
    steps: Mapping[str, float] | None = None,
) -> Agreement:
    """Judge as a box will serve it: with `batched`, each call beside another in one run, too."""
    alone = judge(session, pairs, judging, precision, bound=bound, steps=steps)
    if not batched or not alone.passed:
        return alone
    accompanied = judge(Accompanied(session), pairs._replace(sizes=(), stress=()), judging, precision, bound=bound)
    if accompanied.passed:
        return alone
    reason = f"run together with another call its answer changes ({accompanied.reason}): leave batch= out"
    return msgspec.structs.replace(accompanied, reason=reason)


class _Trial:
    def __init__(
        self,
        session: Session,
        pairs: Pairs,
        judging: Judging,
        limits: Limits,
        bound: Bound | None,
        steps: Mapping[str, float],
    ) -> None:
        self.session, self.pairs, self.judging = session, pairs, judging
        self.limits, self.bound, self.steps = limits, bound, steps

    def run(self, real: Sequence[GoldenSample]) -> Agreement:
        """Judge the `real` samples, then what is made of them."""
        answers: list[Outputs] = []
        for number, sample in enumerate(real):
            outputs = self.session.run(sample.inputs)
            if reason := mismatch(outputs, sample.outputs, self.judging):
                return refused("wrong", f"sample {number}: {reason}", number + 1)
            answers.append({name: np.array(outputs[name]) for name in sample.outputs})
        rows = [row for name in real[0].outputs for row in self._output(name, real, answers)]
        rows.sort(key=lambda row: (row.verdict != "wrong", row.verdict == "right", -row.error / row.limit))
        top1, top1_reason = self._top1(real, answers)
        made = self._made(real, answers)
        max_error = self._max_error(real, answers)
        reasons: list[tuple[Word, str]] = [(row.verdict, row.reason) for row in rows if row.reason]
        reasons += [
            ("wrong", reason) for reason in (top1_reason, made, self._out_of_bound(max_error, real, answers)) if reason
        ]
        word = worst_of([one for one, _ in reasons] + [row.verdict for row in rows])
        shown = [reason for one, reason in reasons if one == word]
        return Agreement(
            verdict=word,
            error=max((row.error for row in rows), default=0.0),
            max_error=max_error,
            top1=top1,
            samples=len(real),
            sizes=len(self.pairs.sizes),
            stress=len(self.pairs.stress) if self.limits.exact else 0,
            slices=tuple(rows),
            reason="; ".join(shown[:3]) + (f"; and {len(shown) - 3} more" if len(shown) > 3 else ""),
            notes=tuple(self._notes(rows)),
        )

    # ── one output ────────────────────────────────────────────────────────────────────────────────────────

    def _output(self, name: str, real: Sequence[GoldenSample], answers: Sequence[Outputs]) -> list[SliceVerdict]:
        eager = [sample.outputs[name] for sample in real]
        found = [answer[name] for answer in answers]
        rule = self.judging.outputs.get(name, OutputRule())
        if not any(array.size for array in eager):
            return [self._unshown(name, name, 0.0, wording.EMPTY.format(name=name, count=len(real)))]
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
        off, limit = 1 - equal / total, 1 - self.limits.top1
        still = all(np.array_equal(array, eager[0]) for array in eager)
        if off > limit:
            return SliceVerdict(
                name, name, "wrong", off, limit or 1e-9, reason=wording.unequal(name, total - equal, total)
            )
        if still and not rule.fixed and name not in self.judging.accuracy.unproven:
            return self._unshown(name, name, off, wording.still(name, len(eager)))
        return SliceVerdict(name, name, "right", off, limit or 1e-9)

    def _unshown(self, output: str, name: str, error: float, reason: str) -> SliceVerdict:
        return SliceVerdict(output, name, "not shown", error, self.limits.error, reason=reason)

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
        floor = self._floor(cut, rule, max(abs(low), abs(high)))
        if not cut.spread:
            return self._still(output, cut, rule, seen.error, max(abs(low), abs(high)), floor, len(eager))
        levels = (high - low) / self.steps[output] if self.steps.get(output) else None
        reason = self._wrong(cut, rule, seen, floor, levels)
        return SliceVerdict(
            output=output,
            slice=cut.name,
            verdict="wrong" if reason else "right",
            error=seen.error / cut.spread,
            limit=max(self.limits.error, floor / cut.spread),
            worst=seen.worst / cut.spread,
            sample=seen.sample,
            bias=seen.bias / cut.spread,
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
        allowed = max(floor, self.limits.error * largest)
        unproven = self.judging.accuracy.unproven
        known = rule.fixed or output in unproven or cut.name in unproven
        word: Word = "wrong" if error > allowed else "right" if known else "not shown"
        reason = {
            "wrong": wording.off_constant(cut.name, error, largest),
            "right": "",
            "not shown": wording.still(cut.name, count),
        }[word]
        return SliceVerdict(
            output, cut.name, word, error / largest if largest else error, self.limits.error, reason=reason
        )

    def _floor(self, cut: Slice, rule: OutputRule, largest: float) -> float:
        """Return the error, in the output's own unit, that no artifact of the precision can be blamed for."""
        floor = self.limits.rounding * largest
        if self.limits.exact:
            return max(floor, min(EXCUSED * cut.noise, 0.1 * cut.spread))
        return max(floor, SCORE_FLOOR) if rule.unit else floor

    def _wrong(self, cut: Slice, rule: OutputRule, seen: figures.Figures, floor: float, levels: float | None) -> str:
        """Return why the slice is wrong, or nothing."""
        limits, moves = self.limits, cut.spread
        if seen.unmasked > limits.masks:
            return wording.masks(cut.name, seen.unmasked)
        if levels is not None and levels < LEVELS:
            return wording.levels(cut.name, levels)
        if seen.distinct < figures.DISTINCT and seen.eager_distinct > figures.MANY:
            return wording.distinct(cut.name, seen.distinct)
        if seen.error > max(limits.error * moves, floor):
            return wording.off(cut.name, seen.error / moves, limits.error, seen)
        if seen.worst > max(self._one(moves), limits.sample * floor):
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

    def _one(self, moves: float) -> float:
        """Return the error that one sample, or one size, may have."""
        return min(self.limits.sample * self.limits.error, self.limits.sample_most) * moves

    def _channel(self, cut: Slice, seen: figures.Figures, floor: float) -> int | None:
        """Return the worst channel that is out of its limit: a dead one of eighty does not show in their mean."""
        if not cut.channels or not seen.channels:
            return None
        own = np.array(cut.channels)
        # A channel that hardly moves beside its siblings is held to what they move by.
        moves = np.where(own > 0, np.maximum(own, cut.spread / 4), cut.spread)
        allowed = np.maximum(self.limits.channel * self.limits.error * moves, self.limits.channel * floor)
        over = np.array(seen.channels) / allowed
        worst = int(np.argmax(over))
        return worst if over[worst] > 1 else None

    # ── all outputs ───────────────────────────────────────────────────────────────────────────────────────

    def _top1(self, real: Sequence[GoldenSample], answers: Sequence[Outputs]) -> tuple[Top1 | None, str]:
        total: Top1 | None = None
        reason = ""
        for name, rule in self.judging.outputs.items():
            if rule.scores is None:
                continue
            eager = [sample.outputs[name] for sample in real]
            margin = self._margin(eager, rule)
            own = sum(
                (
                    classes.top1(answer[name], wanted, rule.scores, margin)
                    for answer, wanted in zip(answers, eager, strict=True)
                ),
                Top1(),
            )
            total = own if total is None else total + own
            if own.rows and own.share < self.limits.top1:
                reason = f"{name}: {own}, and at least {self.limits.top1:.1%} is wanted"
        return total, reason

    def _margin(self, eager: Sequence[NDArray[Any]], rule: OutputRule) -> float:
        """Return how near two scores may be for their order not to matter: eager's noise, or a hair of its lead."""
        assert rule.scores is not None
        if self.limits.exact:
            return 4 * max((cut.noise for cut in rule.slices), default=0.0)
        leads = []
        for array in eager:
            rows = np.moveaxis(special.plain(array, rule.masks), rule.scores.axis, -1)
            ordered = np.sort(np.where(np.isfinite(rows), rows, -np.inf), axis=-1)
            lead = (ordered[..., -1] - ordered[..., -2]).ravel() if ordered.shape[-1] > 1 else np.zeros(0)
            leads.append(lead[np.isfinite(lead)])
        together = np.concatenate(leads or [np.zeros(0)])
        return 0.05 * float(np.median(together)) if together.size else 0.0

    def _max_error(self, real: Sequence[GoldenSample], answers: Sequence[Outputs]) -> float:
        worst = 0.0
        for name in real[0].outputs:
            masks = self.judging.outputs.get(name, OutputRule()).masks
            difference, scale = 0.0, SCALE_FLOOR
            for sample, answer in zip(real, answers, strict=True):
                wanted, given = special.plain(sample.outputs[name], masks), special.plain(answer[name], masks)
                difference = max(difference, float(np.nanmax(np.abs(given - wanted), initial=0.0)))
                scale = max(scale, float(np.nanmax(np.abs(wanted), initial=0.0)))
            worst = max(worst, difference / scale)
        return worst

    def _out_of_bound(self, max_error: float, real: Sequence[GoldenSample], answers: Sequence[Outputs]) -> str:
        """Return how the artifact misses what `tolerance=` asks for, or nothing."""
        if self.bound is None:
            return ""
        if max_error > self.bound.max_error:
            return f"max error {max_error:.2e} is over its bound {self.bound.max_error:.2e} (tolerance=)"
        if self.bound.top1 is None:
            return ""
        agreed = sum(
            (
                classes.last_axis(answer[name], wanted)
                for sample, answer in zip(real, answers, strict=True)
                for name, wanted in sample.outputs.items()
            ),
            Top1(),
        )
        if not agreed.rows or agreed.share >= self.bound.top1:
            return ""
        return f"top-1 agreement {agreed.share:.3f} is under its bound {self.bound.top1:.3f} (tolerance=)"

    # ── what is made of the samples ───────────────────────────────────────────────────────────────────────

    def _made(self, real: Sequence[GoldenSample], answers: Sequence[Outputs]) -> str:
        """Return what is wrong at other sizes and with stress inputs, one after the other in a mixed order.

        Between other sizes a sample comes again: its answer must be the one that it had.
        """
        made = [(f"at {wording.shapes(pair.inputs)}", pair, True) for pair in self.pairs.sizes]
        if self.limits.exact:
            made += [("for an input made of its samples", pair, False) for pair in self.pairs.stress]
        random.Random(len(made)).shuffle(made)
        for number, (where, pair, resized) in enumerate(made, 1):
            outputs = self.session.run(pair.inputs)
            reason = mismatch(outputs, pair.outputs, self.judging)
            if not reason and any(np.any(array) for array in pair.inputs.values()):
                # Of zeros alone only NaN and infinity are judged: all masked or no contrast, the answer has no meaning.
                reason = self._differs(outputs, pair)
            if reason:
                return f"{where}: {reason}"
            place = number % len(real)
            if resized and not self._again(real[place], answers[place]):
                return "after another size it gives a sample another answer than before: its engine keeps state"
        return ""

    def _again(self, sample: GoldenSample, answer: Outputs) -> bool:
        """Whether a sample has the answer that it had."""
        outputs = self.session.run(sample.inputs)
        if mismatch(outputs, sample.outputs, self.judging):
            return False
        return all(_same(outputs[name], answer[name]) for name in answer)

    def _differs(self, outputs: Outputs, pair: GoldenSample) -> str:
        for name, rule in self.judging.outputs.items():
            wanted, given = pair.outputs[name], outputs[name]
            if not rule.slices:
                off = float((np.asarray(given) != np.asarray(wanted)).mean()) if wanted.size else 0.0
                if off > 1 - self.limits.top1:
                    return wording.unequal(name, round(off * wanted.size), wanted.size)
                continue
            for cut in rule.slices:
                if reason := self._slice_differs(cut, rule, cut.of(given), cut.of(wanted)):
                    return reason
        return ""

    def _slice_differs(self, cut: Slice, rule: OutputRule, given: NDArray[Any], wanted: NDArray[Any]) -> str:
        if not wanted.size:
            return ""
        unmasked = float((rule.masks.of(given) != rule.masks.of(wanted)).mean())
        if unmasked > self.limits.masks:
            return wording.masks(cut.name, unmasked)
        reference, own = special.plain(wanted, rule.masks), special.plain(given, rule.masks)
        known = np.isfinite(reference) & np.isfinite(own)
        if not known.any():
            return ""
        reference, own = reference[known], own[known]
        largest = float(np.abs(reference).max())
        moves = max(cut.spread, float(reference.std()))
        error = float(np.sqrt(np.square(own - reference).mean()))
        floor = self.limits.sample * self._floor(msgspec.structs.replace(cut, spread=moves), rule, largest)
        if error > max(self._one(moves), floor, 0.0 if moves else self.limits.error * largest):
            return wording.off_by(cut.name, error / moves if moves else math.inf)
        return ""

    def _notes(self, rows: Sequence[SliceVerdict]) -> list[str]:
        found = []
        if 0 < self.judging.answers < FEW:
            found.append(f"judged by {self.judging.answers} answers: give more samples, {FEW} at least")
        for row in rows:
            rule = self.judging.outputs.get(row.output, OutputRule())
            if row.slice in self.judging.accuracy.unproven or row.output in self.judging.accuracy.unproven:
                why = self.judging.accuracy.unproven.get(row.slice) or self.judging.accuracy.unproven[row.output]
                found.append(f"{row.slice} is not proved: {why}")
            elif rule.fixed:
                found.append(f"{row.slice} depends on no input")
        return found


def mismatch(outputs: Outputs, wanted: Outputs, judging: Judging) -> str:
    """Return how the outputs' names, dtypes, shapes, NaN or infinity differ from those wanted, or nothing."""
    for name, eager in wanted.items():
        if name not in outputs:
            return f"output {name!r} is missing"
        given = outputs[name]
        if (given.dtype, given.shape) != (eager.dtype, eager.shape):
            return f"output {name!r} is {given.dtype}{given.shape}, eager {eager.dtype}{eager.shape}"
        if not np.issubdtype(eager.dtype, np.floating):
            continue
        if np.isnan(given).any() and not np.isnan(eager).any():
            return f"output {name!r} holds NaN where eager has numbers"
        masks = judging.outputs.get(name, OutputRule()).masks
        if (np.isinf(given) & np.isfinite(eager) & (masks.of(eager) == 0)).any():
            return f"output {name!r} holds infinity where eager has a number"
        if np.isnan(eager).any():
            return f"the eager output {name!r} holds NaN"
    return ""


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two answers of one engine to one input are equal, but for the order of its sums."""
    if not np.issubdtype(one.dtype, np.floating):
        return np.array_equal(one, other)
    return bool(np.allclose(one, other, rtol=1e-4, atol=1e-5 * float(np.abs(np.nan_to_num(other)).max(initial=0.0))))


def _common(shapes: Sequence[tuple[int, ...]]) -> list[int]:
    """Return the lengths that all shapes have, -1 where they differ."""
    return [sizes[0] if len(set(sizes)) == 1 else -1 for sizes in zip(*shapes, strict=True)]


def _extent(parts: Sequence[NDArray[Any]], masks: special.Masks) -> tuple[float, float]:
    """Return the least and the greatest value that is no mask."""
    plain = [special.plain(part, masks) for part in parts if part.size]
    lows = [float(np.nanmin(one)) for one in plain if np.isfinite(one).any()]
    highs = [float(np.nanmax(one)) for one in plain if np.isfinite(one).any()]
    return min(lows, default=0.0), max(highs, default=0.0)
