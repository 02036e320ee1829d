"""Run an artifact on its golden pairs and judge what comes out, cheapest checks first, all in one session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edgefn.accuracy import wording
from edgefn.accuracy.derived import Derived
from edgefn.accuracy.judging import FEW, of_samples
from edgefn.accuracy.limits import PrecisionLimits, limits_of
from edgefn.accuracy.measures import classes, special
from edgefn.accuracy.measures.classes import Top1
from edgefn.accuracy.measures.invariants import broken
from edgefn.accuracy.measures.structure import mismatch
from edgefn.accuracy.rules import Judging, OutputRule
from edgefn.accuracy.slice_judge import SliceJudge
from edgefn.accuracy.verdict import Agreement, SliceVerdict, Word, refused, worst_of
from edgefn.batching import PairedSession

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.accuracy.bound import Bound
    from edgefn.golden import GoldenSample, Pairs
    from edgefn.session import Session

    Outputs = Mapping[str, NDArray[Any]]

SCALE_FLOOR = 1e-6
"""Least max |eager| that `max_error` is taken relative to."""


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
    if not all(sample.outputs for sample in real):
        return refused("not shown", "a golden sample holds no answer", 0)
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
    accompanied = judge(PairedSession(session), pairs._replace(sizes=(), stress=()), judging, precision, bound=bound)
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
        limits: PrecisionLimits,
        bound: Bound | None,
        steps: Mapping[str, float],
    ) -> None:
        self.session, self.pairs, self.judging = session, pairs, judging
        self.limits, self.bound = limits, bound
        self.slices = SliceJudge(judging, limits, steps)

    def run(self, real: Sequence[GoldenSample]) -> Agreement:
        """Judge the `real` samples, then what is made of them."""
        answers: list[Outputs] = []
        for number, sample in enumerate(real):
            outputs = self.session.run(sample.inputs)
            if reason := mismatch(outputs, sample.outputs, self.judging):
                return refused("wrong", f"sample {number}: {reason}", number + 1)
            answers.append({name: np.array(outputs[name]) for name in sample.outputs})
        given = answers
        answers = [self.slices.aligned(one, sample.outputs) for one, sample in zip(given, real, strict=True)]
        rows = [row for name in real[0].outputs for row in self.slices.of(name, real, answers)]
        rows.sort(key=lambda row: (row.verdict != "wrong", row.verdict == "right", -row.error / row.limit))
        top1, top1_reason = self._top1(real, answers)
        made = Derived(self.session, self.pairs, self.judging, self.limits, self.slices).run(real, given)
        max_error = self._max_error(real, answers)
        reasons: list[tuple[Word, str]] = [(row.verdict, row.reason) for row in rows if row.reason]
        others = (top1_reason, self._broken(real, answers), made, self._out_of_bound(max_error, real, answers))
        reasons += [("wrong", reason) for reason in others if reason]
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
            if own.agreeing < own.rows and own.interval[1] < self.limits.top1:
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

    def _broken(self, real: Sequence[GoldenSample], answers: Sequence[Outputs]) -> str:
        """Return which rule that eager's answers keep one of the `answers` breaks, or nothing."""
        found = (
            broken(name, rule, answer[name], sample.outputs[name], self.limits.invariant)
            for sample, answer in zip(real, answers, strict=True)
            for name, rule in self.judging.outputs.items()
        )
        return next((reason for reason in found if reason), "")

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
        found += [reason for name, rule in self.judging.outputs.items() if (reason := wording.silent(name, rule))]
        return found
