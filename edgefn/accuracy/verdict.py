"""Right, wrong or not shown, and why. What was not exercised is never right.

PURE: figures and limits in, words out.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from edgefn.accuracy.measures.classes import Top1

Word = Literal["right", "wrong", "not shown"]


class SliceVerdict(msgspec.Struct, frozen=True):
    """How an artifact does on one slice; errors, bias and tail are fractions of `spread`.

    limit     what `error` must keep
    levels    steps of the quantiser that eager's range covers, where that is known
    reason    why it is not right, for a person
    """

    output: str
    slice: str
    verdict: Word
    error: float
    limit: float
    worst: float = 0.0
    sample: int = 0
    bias: float = 0.0
    gain: float | None = None
    tail: float | None = None
    spread: float = 0.0
    distinct: int = 0
    levels: float | None = None
    reason: str = ""


class Agreement(msgspec.Struct, frozen=True):
    """How an artifact does on its golden pairs.

    verdict    "right" alone is served
    error      of the worst slice: RMS error over how far eager's answer moves; infinite when it cannot be told
    max_error  the worst output's max |artifact - eager| over max |eager|, what `tolerance=` bounds
    top1       rows whose top class agrees; None where no output holds class scores
    samples    golden samples that were run, `sizes` pairs at other sizes, `stress` pairs made of samples
    slices     each slice's figures, the worst first
    reason     why it is not right, for a person
    advice     what to do about that, where it is known
    notes      what to know although it is right
    """

    verdict: Word
    error: float
    max_error: float = 0.0
    top1: Top1 | None = None
    samples: int = 0
    sizes: int = 0
    stress: int = 0
    slices: tuple[SliceVerdict, ...] = ()
    reason: str = ""
    advice: str = ""
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Return whether the artifact may be served."""
        return self.verdict == "right"

    def __str__(self) -> str:
        figures = f"error {self.error:.2g} of the answer's spread" if math.isfinite(self.error) else "error unknown"
        top1 = f", {self.top1}" if self.top1 is not None and self.top1.rows else ""
        return f"{figures}{top1}, on {self.samples} golden samples{f' and {self.sizes} other sizes' * bool(self.sizes)}"


def refused(word: Word, reason: str, samples: int) -> Agreement:
    """Return the agreement of an artifact that gave nothing to measure."""
    return Agreement(word, math.inf, math.inf, None, samples, reason=reason)


def worst_of(words: list[Word]) -> Word:
    """Return the verdict on the whole: wrong before not shown before right."""
    return "wrong" if "wrong" in words else "not shown" if "not shown" in words else "right"
