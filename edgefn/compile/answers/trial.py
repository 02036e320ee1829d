"""Run the handler with an artifact on every sample, and hold its answers against eager's.

Runs in the artifact's own compiler process, so that an engine's crash costs that artifact alone. The other models of
the function run by their portable artifacts.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from edgefn import backends
from edgefn.accuracy.answers.judging import Compare, comparison, mismatch
from edgefn.accuracy.answers.limits import limits_for
from edgefn.accuracy.answers.record import Agreed, Mismatch, agreed, shown
from edgefn.accuracy.answers.share import told
from edgefn.compile.answers import reference
from edgefn.compile.answers.requests import Sample, answer
from edgefn.compile.author.usercode import import_function
from edgefn.errors import EdgefnError, GateError
from edgefn.function import EdgeFunction
from edgefn.model import models_of
from edgefn.session import Session
from edgefn.targets.profiles import Target

AGAIN_S = 1.1
"""An answer that differs is asked for again so much later: one that holds the time has changed by then."""


class AnswerTrial(msgspec.Struct, frozen=True):
    """What an artifact's answers are compared with.

    folder      of the function; `handler` is the name of its handler
    reference   file of eager's answers
    samples     the files that were asked, in the order of the answers
    companions  (backend, folder) of the portable artifacts of the function's other models, by model
    packages    folders of the project's shared packages, by name
    """

    folder: str
    handler: str
    reference: str
    samples: tuple[str, ...]
    companions: dict[str, tuple[str, str]] = {}
    packages: dict[str, str] = {}


def run(trial: AnswerTrial, model: str, target: Target, files: Path) -> Agreed:
    """Return how the handler's answers with the artifact in `files` match eager's.

    Raise BuildError where the artifact does not load, or the author's `match` is at fault.
    """
    function = import_function(Path(trial.folder), {name: Path(place) for name, place in trial.packages.items()})
    known = reference.read(Path(trial.reference))
    limits = limits_for(target.precision)
    compare = comparison(limits, known.spreads, function.judge, reference.result_hint(function))
    with ExitStack() as stack:
        artifacts = {**trial.companions, model: (target.backend, str(files))}
        models = models_of(sys.modules[function.spec.entry.partition(":")[0]])
        for name, (backend, folder) in artifacts.items():
            models[name].bind(_finished(backend, Path(folder), stack))
        started = time.monotonic()
        found: list[Mismatch] = []
        for path, expected in zip(trial.samples, known.answers, strict=True):
            sample = Sample(Path(path))
            differs, actual = _compared(function, sample, expected, compare)
            if differs is None:
                continue
            if not found:
                time.sleep(max(0.0, started + AGAIN_S - time.monotonic()))
            if (unfit := _changed(function, sample, actual, compare)) is not None:
                return Agreed(0, 0, "not shown", 0.0, unfit=unfit)
            found.append(differs)
    return agreed(found, len(known.answers), strict=limits.strict)


def gate(found: Agreed, name: str, function: str, *, quantized: bool) -> None:
    """Raise GateError, with some answers that differ, unless enough answers match."""
    if found.passed:
        return
    pairs = "; ".join(
        f"{one.sample}: {one.reason} (eager {one.expected}, artifact {one.actual})" for one in found.examples
    )
    advice = (
        "give more calibration=, keep= layers in float, or leave the target out"
        if quantized
        else "mend what amplifies the difference in the handler, e.g. a threshold, or leave the target out"
    )
    raise GateError(
        f"{name} answers otherwise than eager PyTorch: answers {told(found.matched, found.of)} match. {pairs}. "
        f"Next: {advice}; where these answers are as good, say so with @{function}.match"
    )


def _finished(backend: str, portable: Path, stack: ExitStack) -> Session:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgefn-answers-")))
    engine = backends.get(backend)
    engine.finish(portable, folder)
    return engine.load(folder)


def _compared(
    function: EdgeFunction[..., Any], sample: Sample, expected: bytes, compare: Compare
) -> tuple[Mismatch | None, bytes]:
    """Compare the artifact's answer to `sample` with `expected`.

    Return the mismatch or None, and the answer. The answer is empty when the handler raises.
    """
    try:
        actual = answer(function, sample)
    except EdgefnError as error:
        return Mismatch(sample.name, shown(expected), "", f"is refused: {error}"), b""
    except Exception as error:
        return Mismatch(sample.name, shown(expected), "", f"raises {type(error).__name__}: {error}"), b""
    return mismatch(sample.name, expected, actual, compare), actual


def _changed(function: EdgeFunction[..., Any], sample: Sample, before: bytes, compare: Compare) -> str | None:
    """Return a message when the same artifact answers `sample` differently the second time, else None."""
    if not before:
        return None
    try:
        now = answer(function, sample)
    except Exception:
        return None
    if now == before or not compare(before, now):
        return None
    return reference.unrepeatable(function, sample.name, before, now, 1)
