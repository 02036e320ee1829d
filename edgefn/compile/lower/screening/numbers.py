"""Numbers of every kind for the steps of a file: signs of zero, tiny and large ones, halves, whole ones, NaN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.compile.lower.screening.steps import BOOL, FLOAT, INT32, WHOLE, EngineStep, Fed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

SEED = 11
NAN = "NaN"

_PERIODIC = {"Sin", "Cos", "Tan"}
"""Operators of which only what is near is told: far out each engine has digits of its own."""
_DIVIDING = {"Div", "Mod"}


def sweeps(steps: Sequence[EngineStep]) -> Iterator[tuple[str, Arrays]]:
    """Yield a word and inputs of all `steps` for each kind of number, the same ones each time."""
    draw = np.random.default_rng(SEED)
    for kind in (*_FLOATS, NAN):
        yield kind, {one.name: _array(step, one, kind, draw) for step in steps for one in step.fed}


def _array(step: EngineStep, fed: Fed, kind: str, draw: np.random.Generator) -> NDArray[Any]:
    operator = step.node.op_type
    if fed.dtype == BOOL:
        return np.asarray(draw.random(fed.shape) < 0.5)
    if fed.dtype != FLOAT:
        return _whole(operator, fed, kind, draw)
    if operator == "GridSample" and fed.place == 1:
        return np.asarray(draw.uniform(-1.3, 1.3, fed.shape), np.float32)
    if operator == "Pow" and fed.place == 1:
        return np.asarray(draw.integers(-2, 4, fed.shape), np.float32)
    near = (operator in _PERIODIC and kind in ("large", "whole")) or (operator == "Cast" and kind == "large")
    numbers = np.asarray(_FLOATS["normal" if near or kind == NAN else kind](draw, fed.shape), np.float32)
    if kind == NAN and fed.place == 0:
        numbers[draw.random(fed.shape) < 0.2] = np.nan
    return numbers


def _whole(operator: str, fed: Fed, kind: str, draw: np.random.Generator) -> NDArray[Any]:
    """Return whole numbers: up to WHOLE for what does not make larger ones of them."""
    most = WHOLE if kind in ("whole", "large") and operator in _KEEPING else 40
    dtype = np.int32 if fed.dtype == INT32 else np.int64
    if operator == "ReduceProd":
        return np.asarray(draw.integers(-2, 3, fed.shape), dtype)
    if operator == "Pow" and fed.place == 1:
        return np.asarray(draw.integers(0, 3, fed.shape), dtype)
    numbers = draw.integers(-most, most, fed.shape, endpoint=True)
    if operator in _DIVIDING and fed.place == 1:
        numbers = np.where(numbers == 0, 3, numbers)
    return np.asarray(numbers, dtype)


_KEEPING = {
    "Div",
    "Mod",
    "Max",
    "Min",
    "Less",
    "LessOrEqual",
    "Greater",
    "GreaterOrEqual",
    "Equal",
    "Where",
    "Clip",
    "Abs",
    "Neg",
} | {"Sign", "ArgMax", "ArgMin", "ReduceMax", "ReduceMin", "Cast", "TopK"}
"""Operators whose whole numbers are no larger than what goes in."""


def _signed(draw: np.random.Generator, shape: Sequence[int], low: float, high: float) -> Any:
    return draw.choice([-1.0, 1.0], shape) * 10 ** draw.uniform(low, high, shape)


_FLOATS: dict[str, Any] = {
    "normal": lambda draw, shape: draw.standard_normal(shape) * 3,
    "zero": lambda draw, shape: draw.choice([0.0, -0.0, 1.0, -1.0], shape),
    "equal": lambda draw, shape: np.full(shape, 3.3),
    "tenths": lambda draw, shape: (draw.integers(0, 60, shape) + 1) / 10,
    "halves": lambda draw, shape: draw.integers(-9, 10, shape) / 2,
    "tiny": lambda draw, shape: _signed(draw, shape, -25, -6),
    "large": lambda draw, shape: _signed(draw, shape, 1, 6),
    "whole": lambda draw, shape: draw.integers(-WHOLE, WHOLE, shape),
}
