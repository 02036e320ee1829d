"""One network in int8 for one target and engine: method, safety, fine-tuning, the search for layers to keep.

Every form is judged on the part of the calibration inputs that nothing was taken from, by the engine that will run it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgefn.accuracy.judge import judge
from edgefn.backends import output_names
from edgefn.compile.cache import key_of
from edgefn.compile.quantize import (
    calibration,
    dynamic,
    finetune,
    fit,
    gate,
    method,
    propagation,
    pruning,
    safety,
    sensitivity,
)
from edgefn.compile.quantize.graph import Graph
from edgefn.compile.quantize.preparation import loaded, prepared
from edgefn.compile.quantize.static import Static
from edgefn.errors import BuildError
from edgefn.golden import Pairs
from edgefn.targets import profiles

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

    from edgefn.accuracy.rules import Judging
    from edgefn.accuracy.verdict import Agreement
    from edgefn.backends.backend import Captured, Session
    from edgefn.bundle.config import Bound
    from edgefn.compile.quantize.calibration import Parts
    from edgefn.compile.quantize.engine import Engine
    from edgefn.golden import GoldenSample
    from edgefn.targets.profiles import Target

    Write = Callable[[tuple[str, ...]], onnx.ModelProto]
    Way = Callable[[bool, Mapping[str, str]], "Attempt"]


PRECISION = "int8"
_EXACT = ", exact products"


class Made(NamedTuple):
    """An int8 network: its file, the sessions' entries, how it was made in a few words, the layers left in float."""

    model: onnx.ModelProto
    session: Mapping[str, str]
    recipe: str
    kept: tuple[str, ...]


class Attempt(NamedTuple):
    """A way of making it; `write` gives the file with the named layers and those `kept` in float."""

    recipe: str
    session: Mapping[str, str]
    layers: list[str]
    write: Write
    kept: tuple[str, ...] = ()


def lowered(captured: Captured, target: Target, path: Path, opset: int, engine: Engine) -> tuple[Made, dict[str, int]]:
    """The int8 network of `captured` lies in `path`, past every gate; how it was made, its int8 operators by type.

    Raises as `made`, and GateError where the file is none of `opset` or `engine` does not run it in eight bits.
    """
    import onnx

    name = f"{target} of model {captured.model.name}"
    source = loaded(captured.onnx(opset), name)
    if captured.own_opset and gate.in_file(source):
        raise BuildError(
            f"{name}: its ONNX file is quantised already, and is served so by the fp32 targets: leave this target out"
        )
    found = made(captured, target, source, engine)
    onnx.save(found.model, path)
    written = onnx.load(path)
    gate.opset(written, opset, profiles.runtime_of(target, captured.profiles).opset, name)
    counted = gate.in_file(written)
    gate.integers(counted, engine.integers(path, found.session), name)
    return found, counted


def made(captured: Captured, target: Target, model: onnx.ModelProto, engine: Engine) -> Made:
    """The first way of making `model` int8 for `engine` that keeps the bound, the fastest ways first.

    Raises BuildError naming what is missing, GateError with the figures when no way keeps the bound.
    """
    name, quantize = captured.model.name, captured.quantize
    model = prepared(model)
    chosen = method.choose(method.shares(Graph(model)), quantize, name, str(target), dynamic=engine.dynamic)
    if chosen == "static" or captured.calibration:
        parts = calibration.split(captured.calibration, name, str(target))
    else:
        parts = calibration.Parts((), ())
    saturates = safety.saturates(profiles.profiles(captured.profiles)[target.profile].cpu)
    way = _dynamic(model) if chosen == "dynamic" else _static(captured, model, parts)
    return _first(_attempts(way, engine, saturates), parts, captured, engine, f"{target} of model {name}")


def _attempts(way: Way, engine: Engine, saturates: bool) -> Iterator[Attempt]:
    """Weights that cannot saturate at the full speed of the kernels, then exact products at two thirds of it."""
    if not saturates:
        yield way(False, {})
        return
    yield way(True, {})
    if engine.exact is not None:
        yield way(False, engine.exact)


def _first(attempts: Iterable[Attempt], parts: Parts, captured: Captured, engine: Engine, name: str) -> Made:
    tried: list[tuple[str, Agreement | None, Made]] = []
    for attempt in attempts:
        forced = _forced((*attempt.kept, *attempt.layers), captured.quantize.keep, captured.model.name)
        trial = Trial(attempt, engine, parts.validation, captured.judging, captured.bound)
        found = sensitivity.search(attempt.layers, trial.score, forced)
        result = Made(attempt.write(found.kept), attempt.session, attempt.recipe, (*attempt.kept, *found.kept))
        if found.score.passed:
            return result
        tried.append((attempt.recipe, trial.agreements.get(found.kept), result))
    recipe, seen, _ = min(tried, key=lambda one: one[1].error if one[1] else math.inf)
    assert seen is not None, "an attempt without validation inputs passes"
    gate.agreement(seen, name, f"{', '.join(one[0] for one in tried)}; {recipe} came nearest")
    raise AssertionError("the gate refuses what the search refused")


class Trial:
    """Scores an attempt with layers in float, and remembers each agreement."""

    def __init__(
        self,
        attempt: Attempt,
        engine: Engine,
        samples: Sequence[GoldenSample],
        judging: Judging,
        bound: Bound | None,
    ) -> None:
        self._attempt, self._engine, self._samples = attempt, engine, samples
        self._judging, self._bound = judging, bound
        self.agreements: dict[tuple[str, ...], Agreement] = {}

    def score(self, kept: tuple[str, ...]) -> sensitivity.Score:
        """How the validation part comes out of the engine; what cannot be judged, as there is none, passes."""
        if not self._samples:
            return sensitivity.Score(True, 0.0)
        session = self._engine.opened(self._attempt.write(kept), self._attempt.session)
        noted = _Noted(session, self._samples)
        agreement = judge(noted, Pairs(tuple(self._samples)), self._judging, PRECISION, bound=self._bound)
        self.agreements[kept] = agreement
        return sensitivity.Score(agreement.passed, noted.error)


class _Noted:
    """A session that sums up how far its outputs are from the samples' it is run on, in the samples' order."""

    def __init__(self, session: Session, samples: Sequence[GoldenSample]) -> None:
        self._session, self._wanted, self.error = session, iter(samples), 0.0

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        outputs, sample = self._session.run(inputs), next(self._wanted)
        for name, wanted in sample.outputs.items():
            if np.issubdtype(wanted.dtype, np.floating):
                squares = np.square(np.subtract(outputs[name], wanted, dtype=np.float64))
                self.error += float(np.mean(squares[np.isfinite(squares)] if wanted.size else 0.0))
        return outputs


def _static(captured: Captured, model: onnx.ModelProto, parts: Parts) -> Way:
    """By a fit that all compilers of the model share, whatever their engine."""

    def way(paired: bool, entries: Mapping[str, str]) -> Attempt:
        asked = key_of(captured.quantize.epochs, captured.quantize.sparsity, paired)[:16]
        folder = captured.shared(f"fit-{asked}", lambda into: fit.write(fitted(captured, model, parts, paired), into))
        found = fit.read(folder)
        recipe = f"static{', weights in safe pairs' * paired}{_EXACT * bool(entries)}"
        if captured.quantize.epochs:
            recipe = f"{recipe}, fine-tuned {captured.quantize.epochs} epochs"
        return Attempt(recipe, entries, found.names, found.written, found.kept)

    return way


def fitted(captured: Captured, model: onnx.ModelProto, parts: Parts, paired: bool) -> fit.Fit:
    """What static quantisation finds for `model`: pruned and fine-tuned where the author asks for it."""
    inputs, quantize = [sample.inputs for sample in parts.calibration], captured.quantize
    model = copy.deepcopy(model)
    if quantize.sparsity:
        model = pruning.pruned(model, quantize.sparsity, captured.model.name)
        if quantize.epochs:  # in float first: ranges are those of a network that has recovered
            _taught(finetune.Student(Graph(model)), parts, quantize.epochs)
    static = Static(model, inputs, saturates=paired)
    static.compensate()
    if quantize.epochs:
        _taught(finetune.Student(static.graph, static), parts, quantize.epochs)
    return static.fit


def _taught(student: finetune.Student, parts: Parts, epochs: int) -> None:
    """The student has learnt what the float network gives for the calibration inputs."""
    inputs, outputs = ([getattr(one, side) for one in parts.calibration] for side in ("inputs", "outputs"))
    graph = student.graph
    step = propagation.together(graph, inputs)
    names = [output_names.outside(name, graph.inputs) for name in graph.outputs]
    wanted = propagation.pieces(outputs, names, step)
    finetune.train(
        student, propagation.pieces(inputs, graph.inputs, step), list(zip(*wanted.values(), strict=True)), epochs
    )


def _dynamic(model: onnx.ModelProto) -> Way:
    def way(paired: bool, entries: Mapping[str, str]) -> Attempt:
        def write(kept: tuple[str, ...]) -> onnx.ModelProto:
            return dynamic.written(model, kept, seven_bits=paired)

        recipe = f"dynamic{', weights of seven bits' * paired}{_EXACT * bool(entries)}"
        return Attempt(recipe, entries, dynamic.layers(model), write)

    return way


def _forced(layers: Sequence[str], keep: Sequence[str], model: str) -> tuple[str, ...]:
    """The layers that the author keeps in float. Raises BuildError for a part of a name that no layer has."""
    for part in keep:
        if not any(part in layer for layer in layers):
            raise BuildError(
                f"model {model}: Quantize(keep=...) names {part!r}, and no layer's name has it in; there are "
                f"{', '.join(layers[:12])}{', …' if len(layers) > 12 else ''}"
            )
    return tuple(layer for layer in layers if any(part in layer for part in keep))
