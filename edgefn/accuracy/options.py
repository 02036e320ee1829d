"""`Accuracy`: what the author says of a model's outputs, and of how far an artifact may be off. Data and its checks."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from edgefn.errors import SpecError

MAX_ERROR = 0.5
"""An error of 1.0 is what an answer that ignores its input has: half of that is no answer."""


class Accuracy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How near a model's artifacts must be to eager PyTorch, where the defaults do not suit.

    error     the largest RMS error of a slice, as a fraction of how far eager's answer moves between samples: one
              number for every precision, or by precision, e.g. {"int8": 0.15}
    classes   outputs that are class scores, with their class axis, e.g. {"scores": 1}; () for none at all; None: those
              whose rows are probabilities
    top1      the least share of rows whose top class agrees, by precision or one for all
    unproven  outputs or slices that no sample can show to be right, each with the reason why that is acceptable
    """

    error: float | dict[str, float] | None = None
    classes: dict[str, int] | None = None
    top1: float | dict[str, float] | None = None
    unproven: dict[str, str] = {}

    def error_of(self, precision: str) -> float | None:
        """Return the author's error limit for `precision`, or None for the default."""
        return _of(self.error, precision)

    def top1_of(self, precision: str) -> float | None:
        """Return the author's least top-1 share for `precision`, or None for the default."""
        return _of(self.top1, precision)


def read_accuracy(accuracy: object, where: str) -> Accuracy:
    """Return what `accuracy=` asks for.

    Raise SpecError, beginning with `where`, for what cannot be judged by.
    """
    if accuracy is None:
        return Accuracy()
    if isinstance(accuracy, float | int) and not isinstance(accuracy, bool):
        accuracy = Accuracy(error=float(accuracy))
    if not isinstance(accuracy, Accuracy):
        raise SpecError(f"{where}: accuracy is {accuracy!r}: write a number, e.g. 0.1, or Accuracy(...)")
    where = f"{where}: accuracy"
    for number in _numbers(accuracy.error, f"{where}: error"):
        if not 0 < number <= MAX_ERROR:
            raise SpecError(
                f"{where}: error is {number!r}: write a fraction of the answer's spread between samples, above 0 "
                f"and at most {MAX_ERROR}; an artifact that ignores its input has 1.0"
            )
    for number in _numbers(accuracy.top1, f"{where}: top1"):
        if not 0 <= number <= 1:
            raise SpecError(f"{where}: top1 is {number!r}: write a share between 0 and 1, e.g. 0.97")
    if accuracy.classes is not None and not _is_axes(accuracy.classes):
        raise SpecError(
            f'{where}: classes is {accuracy.classes!r}: write each output with its class axis, {{"scores": 1}}'
        )
    for name, reason in accuracy.unproven.items() if isinstance(accuracy.unproven, dict) else [("", None)]:
        if not (isinstance(name, str) and isinstance(reason, str) and reason.strip()):
            raise SpecError(
                f'{where}: unproven is {accuracy.unproven!r}: write outputs with the reason, {{"count": "always 100"}}'
            )
    return accuracy


def _of(value: float | dict[str, float] | None, precision: str) -> float | None:
    return value.get(precision) if isinstance(value, dict) else value


def _numbers(value: object, where: str) -> list[float]:
    values: list[Any] = list(value.values()) if isinstance(value, dict) else [] if value is None else [value]
    for one in values:
        if not isinstance(one, float | int) or isinstance(one, bool) or not math.isfinite(one):
            raise SpecError(f'{where} is {value!r}: write a number, or numbers by precision, e.g. {{"int8": 0.15}}')
    return values


def _is_axes(classes: object) -> bool:
    return isinstance(classes, dict) and all(
        isinstance(name, str) and isinstance(axis, int) and not isinstance(axis, bool) for name, axis in classes.items()
    )
