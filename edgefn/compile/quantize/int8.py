"""One network in int8 for one target and engine: method, safety, fine-tuning, the search for layers to keep.

Every form is judged on the part of the calibration inputs that nothing was taken from, by the engine that will run it;
and before it is taken, on the golden samples, so that the next way is tried where the gate would refuse it.
"""

from __future__ import annotations

import logging
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgefn.compile.quantize import gate, method, safety
from edgefn.compile.quantize.gate import FailedAttempt
from edgefn.compile.quantize.graph import costs
from edgefn.compile.quantize.graph.graph import Graph
from edgefn.compile.quantize.graph.preparation import loaded, prepared
from edgefn.compile.quantize.search import attempts, sensitivity
from edgefn.compile.quantize.search.trial import LayerTrial
from edgefn.compile.quantize.static import calibration
from edgefn.errors import BuildError, EdgefnError
from edgefn.targets import profiles

if TYPE_CHECKING:
    import onnx

    from edgefn.compile.lower.lowering import Captured
    from edgefn.compile.quantize.engine import Engine
    from edgefn.compile.quantize.graph.costs import Share
    from edgefn.compile.quantize.search.attempts import Attempt, Plan
    from edgefn.compile.quantize.static.calibration import Parts
    from edgefn.targets.profiles import Target

GOOD = 0.05
"""Error over how far answers move, with which the first right way is taken; over it, the best of the fast ones."""

CLEARLY = 1.1
"""An error that is so many times another's is told apart from it."""

SCAN_S = 90.0
"""Time for one run after another with each layer alone in float; what was not run by then stays in eight bits."""

_log = logging.getLogger(__name__)


class Int8Network(NamedTuple):
    """An int8 network: its file, the session's entries, the recipe in a few words, and the layers left in float.

    `share` is the part of the network in eight bits. `error` is the deviation of the outputs over how far they move.
    """

    model: onnx.ModelProto
    session: Mapping[str, str]
    recipe: str
    kept: tuple[str, ...]
    share: Share
    error: float = 0.0


def lowered(
    captured: Captured, target: Target, exported: Path, path: Path, opset: int, engine: Engine
) -> tuple[Int8Network, dict[str, int]]:
    """Write the int8 form of `exported`, the ONNX file of `captured`, to `path`, past every gate.

    Returns the network and its int8 operators by type. Raises the same errors as `made`, and GateError if the file does
    not have the `opset`.
    """
    import onnx

    name = f"{target} of model {captured.model.name}"
    source = loaded(exported, name)
    if captured.own_opset and gate.in_file(source):
        raise BuildError(
            f"{name}: its ONNX file is quantised already, and is served so by the fp32 targets: leave this target out"
        )
    found = made(captured, target, source, engine)
    onnx.save(found.model, path)
    written = onnx.load(path)
    gate.opset(written, opset, profiles.runtime_of(target, captured.profiles).opset, name)
    return found, gate.in_file(written)


def made(captured: Captured, target: Target, model: onnx.ModelProto, engine: Engine) -> Int8Network:
    """Make `model` int8 for `engine` in the first way that keeps the bound; try the fastest ways first.

    Raises BuildError that names what is missing, and GateError with the figures when no way keeps the bound.
    """
    name, quantize = captured.model.name, captured.quantize
    model = prepared(model)
    chosen = method.choose(method.shares(Graph(model)), quantize, name, str(target), dynamic=engine.dynamic)
    if chosen == "static" or captured.calibration:
        parts = calibration.split(captured.calibration, name, str(target))
    else:
        parts = calibration.Parts((), ())
    parts = parts._replace(validation=calibration.enough(parts.validation, captured.judges))
    saturates = safety.saturates(profiles.profiles(captured.profiles)[target.profile].cpu)
    ways = attempts.ways_of(captured, model, parts, chosen)
    return _first(attempts.plans(ways, engine, saturates), parts, captured, engine, f"{target} of model {name}")


def _first(plans: Sequence[Plan], parts: Parts, captured: Captured, engine: Engine, name: str) -> Int8Network:
    tried: list[FailedAttempt] = []
    right: list[Int8Network] = []
    for plan in plans:
        if right and plan.entries:
            break
        found = _judged(plan, parts, captured, engine, name)
        if isinstance(found, FailedAttempt):
            _log.info("%s: %s: %s", name, found.recipe, found.reason)
            tried.append(found)
            continue
        if found.error <= GOOD:
            return found
        right.append(found)
    if not right:
        raise gate.refusal(tried, name)
    return _best(right)


def _best(right: Sequence[Int8Network]) -> Int8Network:
    """Return the first network whose error is not clearly above another's.

    On a few samples, a difference of less than a tenth is chance.
    """
    least = min(one.error for one in right)
    return next(one for one in right if one.error <= least * CLEARLY)


def _judged(plan: Plan, parts: Parts, captured: Captured, engine: Engine, name: str) -> Int8Network | FailedAttempt:
    """Make one attempt and judge it.

    A failing toolchain costs only this attempt. An error that the author must mend is raised.
    """
    recipe = "static"
    try:
        one = plan.attempt()
        recipe = one.recipe
        return _searched(one, parts, captured, engine, name)
    except EdgefnError:
        raise
    except Exception as error:  # of ONNX, of ONNX Runtime's quantiser, of PyTorch: their whole traces are in the log
        _log.exception("%s: %s fails", name, recipe)
        return FailedAttempt(
            recipe, f"{recipe} fails: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        )


def _searched(
    attempt: Attempt, parts: Parts, captured: Captured, engine: Engine, name: str
) -> Int8Network | FailedAttempt:
    forced = _forced((*attempt.kept, *attempt.layers), captured.quantize.keep, captured.model.name)
    costed = costs.measured(attempt.model, _example(captured))
    last = captured.judges or parts.validation
    judges = trial = LayerTrial(attempt, engine, last, captured.judging, captured.bound)
    if attempt.searched and captured.judges:  # what is sought by golden samples alone would not be judged by them
        trial = LayerTrial(attempt, engine, parts.validation, captured.judging, captured.bound)
    least = captured.quantize.min_share

    def spare(kept: Sequence[str]) -> bool:
        return costs.left(costed, (*attempt.kept, *kept)).operations >= least

    began = time.monotonic()
    found = sensitivity.Search(
        attempt.layers if attempt.searched else [],
        trial.score,
        forced,
        attempt.estimate,
        spare,
        lambda: time.monotonic() - began > SCAN_S,
    ).run()
    seen, spent = trial.agreements.get(found.kept), time.monotonic() - began
    _log.info("%s: %s: %d layers in float, %s, %.1f s", name, attempt.recipe, len(found.kept), found.score, spent)
    if not found.score.passed:
        return FailedAttempt(attempt.recipe, seen.reason if seen else "", seen)
    model = attempt.write(found.kept)
    share = costs.share(model, costed)
    if reason := gate.share(share, least) or _in_engine(model, attempt.session, engine):
        return FailedAttempt(attempt.recipe, reason)
    score = judges.score(found.kept) if judges is not trial else found.score
    if not score.passed:
        judged = judges.agreements[found.kept]
        _log.info("%s: %s: %s", name, attempt.recipe, judged.reason)
        return FailedAttempt(attempt.recipe, judged.reason, judged)
    error = math.sqrt(score.error / max(1, len(last)))
    return Int8Network(model, attempt.session, attempt.recipe, (*attempt.kept, *found.kept), share, error)


def _in_engine(model: onnx.ModelProto, entries: Mapping[str, str], engine: Engine) -> str:
    """Return why the engine does not run the file's quantised operators in eight bits; empty if it does."""
    import onnx

    with tempfile.TemporaryDirectory(prefix="edgefn-engine-") as scratch:
        path = Path(scratch) / "model.onnx"
        onnx.save(model, path)
        return gate.integers(gate.in_file(model), engine.integers(path, entries))


def _example(captured: Captured) -> Mapping[str, Any]:
    """Return inputs of the sizes that the network will get; zeros where there are no real inputs."""
    if captured.calibration:
        return captured.calibration[0].inputs
    return {
        name: np.zeros(
            [captured.sizes.get(size, 1) if isinstance(size, str) else size for size in one.shape], one.dtype
        )
        for name, one in captured.model.inputs.items()
    }


def _forced(layers: Sequence[str], keep: Sequence[str], model: str) -> tuple[str, ...]:
    """Return the layers that the author keeps in float.

    Raises BuildError if a part of a name in `keep` occurs in no layer's name.
    """
    for part in keep:
        if not any(part in layer for layer in layers):
            raise BuildError(
                f"model {model}: Quantize(keep=...) names {part!r}, and no layer's name has it in; there are "
                f"{', '.join(layers[:12])}{', …' if len(layers) > 12 else ''}"
            )
    return tuple(layer for layer in layers if any(part in layer for part in keep))
