"""An engine's answers for each step of a file alone, against ONNX Runtime's, with numbers of every kind.

What an engine makes of NaN is told apart: steps that lose it are known then (`rewriting.not_numbers`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgefn.compile.lower.screening import numbers
from edgefn.compile.lower.screening.steps import ELEMENTWISE, SPATIAL, EngineStep, together, unlike

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]
    Run = Callable[[onnx.ModelProto, Sequence[Arrays]], Sequence[Arrays] | None]
    """Runs a file with each of some inputs, or the first ones; None where an engine does not take the file."""

NEAR, FLOOR, ROUGH, TINY = 2e-3, 1e-6, 1e-2, 1e-9
"""How far a number may be off: relative, of the largest that there is, of what is divided by a spread, and at all."""
_AROUND_0 = {"Erf", "Tanh", "Elu", "Celu", "Selu", "Gelu"}
"""Operators of which nobody divides by an answer near 0, or takes its logarithm: engines add 1 before."""
OVERFLOWN = 1e37
"""From here on a number is as good as infinite."""


class EngineFindings(NamedTuple):
    """The operators of an engine that lose NaN, and how it answers otherwise than ONNX Runtime, if it does."""

    losing: frozenset[str] = frozenset()
    wrong: str = ""


def screen(model: onnx.ModelProto, sizes: Mapping[str, int], run: Run, *, in_parts: bool = True) -> EngineFindings:
    """Return what an engine that `run` is does otherwise with the steps of `model`.

    `sizes` are its free lengths. Where it does not take all steps at once, it is tried with half of them, and so on, if
    `in_parts`.
    """
    steps = unlike(model, sizes)
    sweeps = list(numbers.sweeps(steps))
    losing: set[str] = set()
    for group, given, wanted, found in _answers(steps, model, [arrays for _, arrays in sweeps], run, in_parts=in_parts):
        for (kind, _), inputs, right, other in zip(sweeps, given, wanted, found, strict=False):
            for step in group:
                name = step.node.output[0]
                if kind == numbers.NAN:
                    losing |= {step.node.op_type} if _loses(other[name], right[name]) else set()
                elif place := _differing(step, inputs, other[name], right[name]):
                    return EngineFindings(wrong=_told(step, kind, inputs, other[name], right[name], place))
    return EngineFindings(frozenset(losing))


def _answers(
    steps: Sequence[EngineStep], model: onnx.ModelProto, given: Sequence[Arrays], run: Run, *, in_parts: bool
) -> Iterator[tuple[Sequence[EngineStep], Sequence[Arrays], Sequence[Arrays], Sequence[Arrays]]]:
    """Yield steps, inputs, ONNX Runtime's answers and the engine's: of all at once, or of those that run alone."""
    if not steps:
        return
    file = together(steps, model)
    names = {one.name for step in steps for one in step.fed}
    own = [{name: arrays[name] for name in names} for arrays in given]
    wanted = _literally(file, own)
    found = run(file, own) if wanted is not None else None
    if wanted is not None and found is not None:
        yield steps, own, wanted, found
    elif len(steps) > 1 and in_parts:
        middle = len(steps) // 2
        yield from _answers(steps[:middle], model, given, run, in_parts=True)
        yield from _answers(steps[middle:], model, given, run, in_parts=True)


def _literally(file: onnx.ModelProto, given: Iterable[Arrays]) -> list[Arrays] | None:
    """Return ONNX Runtime's answers, each step as it stands; None where it does not run the file."""
    from edgefn.backends.onnxruntime.session import PROVIDER, import_onnxruntime, session_options

    ort = import_onnxruntime()
    options = session_options({})
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(file.SerializeToString(), options, providers=[PROVIDER])
        names = [one.name for one in session.get_outputs()]
        return [dict(zip(names, session.run(names, dict(arrays)), strict=True)) for arrays in given]
    except Exception:  # onnxruntime's exceptions have no common class but this
        return None


def _loses(found: NDArray[Any], wanted: NDArray[Any]) -> bool:
    if found.shape != wanted.shape or wanted.dtype.kind != "f" or found.dtype.kind != "f":
        return not np.array_equal(found, wanted)
    return bool((np.isnan(wanted) & ~np.isnan(found)).any())


def _differing(step: EngineStep, inputs: Arrays, found: NDArray[Any], wanted: NDArray[Any]) -> tuple[int, ...] | None:
    """Return a place where two answers differ; None where they do not."""
    if found.shape != wanted.shape:
        return (0,) * wanted.ndim
    with np.errstate(all="ignore"):
        one, other = found.astype(np.float64), wanted.astype(np.float64)
        allowed = _allowed(step, inputs, other) if wanted.dtype.kind == "f" else np.zeros_like(other)
        same = (one == other) | (np.isnan(one) & np.isnan(other)) | (np.abs(one - other) <= allowed)
        same |= (np.abs(other) >= OVERFLOWN) & (np.abs(one) >= OVERFLOWN) & (np.sign(one) == np.sign(other))
    places = np.argwhere(~same)
    return tuple(int(axis) for axis in places[0]) if len(places) else None


def _allowed(step: EngineStep, inputs: Arrays, wanted: NDArray[Any]) -> NDArray[Any]:
    """Return how far each number may be off: of what is added up by what goes in, too."""
    least = FLOOR if step.node.op_type in _AROUND_0 else TINY
    scale, near = _largest(wanted), NEAR * np.abs(wanted) + least
    if step.node.op_type in ELEMENTWISE:
        return np.asarray(near + FLOOR * min(scale, 1.0))
    scale = max(scale, *(_largest(inputs[fed.name]) for fed in step.fed))
    rough = ROUGH * min(scale, 1.0) if step.node.op_type in SPATIAL else 0.0
    return np.asarray(near + 10 * FLOOR * scale + rough)


def _largest(array: NDArray[Any]) -> float:
    numbers = np.abs(array.astype(np.float64))
    return float(numbers[np.isfinite(numbers)].max(initial=0.0))


def _told(step: EngineStep, kind: str, inputs: Arrays, found: NDArray[Any], wanted: NDArray[Any], place: Any) -> str:
    """Return in words how an answer differs."""
    operator = step.node.op_type
    if found.shape != wanted.shape:
        return f"its {operator} gives {list(found.shape)} for {list(wanted.shape)}"
    given = ""
    if operator in ELEMENTWISE:
        given = f" of {', '.join(f'{inputs[fed.name][place]:.7g}' for fed in step.fed)}"
    return f"its {operator}{given} is {found[place]:.7g} for {wanted[place]:.7g} ({kind} numbers)"
