"""Hold one encoded answer against eager's: by the kinds of its parts, or by the author's own comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from edgefn.accuracy.answers import record
from edgefn.accuracy.answers.author import Judge, judged
from edgefn.accuracy.answers.limits import FP32, AnswerLimits
from edgefn.accuracy.answers.matching import match
from edgefn.accuracy.answers.record import Mismatch
from edgefn.accuracy.answers.spread import Spreads, spreads

Compare = Callable[[bytes, bytes], str]
"""Returns why an encoded answer does not match eager's, or ""."""


def comparison(limits: AnswerLimits, spreads: Spreads, judge: Judge | None, hint: Any) -> Compare:
    """Return the comparison of a function's answers; `judge` is the author's, `hint` the type of the result."""

    def compare(expected: bytes, actual: bytes) -> str:
        if judge is None:
            return match(record.decode(expected), record.decode(actual), limits, spreads)
        return judged(judge, record.decode_typed(expected, hint), record.decode_typed(actual, hint))

    return compare


def spreads_of(answers: Iterable[bytes]) -> Spreads:
    """Return how far each part of eager's encoded answers moves between samples."""
    return spreads(map(record.decode, answers))


def differing(first: Sequence[bytes], second: Sequence[bytes], judge: Judge | None, hint: Any) -> list[int]:
    """Return the numbers of the answers in which two runs of eager differ.

    A handler with such answers does not repeat itself.
    """
    exact = {path: msgspec.structs.replace(one, step=0.0) for path, one in spreads_of(first).items()}
    compare = comparison(FP32, exact, judge, hint)
    return [number for number, (one, other) in enumerate(zip(first, second, strict=True)) if compare(one, other)]


def mismatch(name: str, expected: bytes, actual: bytes, compare: Compare) -> Mismatch | None:
    """Return how the answer to the sample `name` differs from eager's, or None where they match."""
    reason = compare(expected, actual)
    return Mismatch(name, record.shown(expected), record.shown(actual), reason) if reason else None
