"""The ways of making a network int8, in the order in which they are tried: the fastest first, ours before plain ones.

Owns what each way makes its file of. Never judges one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from edgefn.backends import output_names
from edgefn.compile.cache.cache import key_of
from edgefn.compile.quantize import dynamic
from edgefn.compile.quantize.graph.graph import Graph, with_biases
from edgefn.compile.quantize.static import fit, plain, propagation
from edgefn.compile.quantize.static.static import Static
from edgefn.compile.quantize.training import finetune, pruning

if TYPE_CHECKING:
    import onnx

    from edgefn.compile.lower.lowering import Captured
    from edgefn.compile.quantize.engine import Engine
    from edgefn.compile.quantize.static.calibration import Parts
    from edgefn.golden import GoldenSample
    from edgefn.quantization import Quantize

    Write = Callable[[tuple[str, ...]], onnx.ModelProto]
    Way = Callable[[bool, Mapping[str, str]], "Attempt"]

_EXACT = ", exact products"

FEW = 64
"""Of fewer inputs each counts: what was left out to judge is calibrated on, too, where the first way is not good."""


class Attempt(NamedTuple):
    """A way of making a network int8; `write` gives the file with the named layers and those `kept` in float.

    model     the float network that is quantised
    layers    those that may be left in float
    estimate  the estimated cost of each of them; {} where a scan must measure it
    searched  whether layers are left in float if the bound is missed with none in float
    """

    recipe: str
    session: Mapping[str, str]
    model: onnx.ModelProto
    layers: list[str]
    write: Write
    kept: tuple[str, ...] = ()
    estimate: Mapping[str, float] = {}
    searched: bool = True


class Ways(NamedTuple):
    """Our own ways, and other ways, which do not prevent saturated products."""

    ours: list[Way]
    others: list[Way]


def ways_of(captured: Captured, model: onnx.ModelProto, parts: Parts, chosen: str) -> Ways:
    quantize = captured.quantize
    ours = [static(captured, quantize, model, parts)]
    if captured.judges and len(parts.calibration) < FEW:
        ours.append(static(captured, quantize, model, parts, whole=True))
    if quantize.epochs and not quantize.sparsity:  # few inputs teach a network to be worse
        ours.append(static(captured, msgspec.structs.replace(quantize, epochs=0), model, parts))
    asked = quantize.epochs or quantize.sparsity  # plain quantisation has neither
    others = [] if asked or not parts.calibration else [plain_static(model, everything(captured, parts))]
    if chosen == "static":
        return Ways(ours, others)
    further = quantize.method == "auto" and parts.calibration
    return Ways([without_ranges(model), *(ours if further else [])], others if further else [])


class Plan(NamedTuple):
    """An attempt that is not made yet: a way, whether weights are safe in pairs, the session's entries.

    A plan with entries is slower. It serves where the plans without entries are wrong.
    """

    way: Way
    paired: bool
    entries: Mapping[str, str]

    def attempt(self) -> Attempt:
        """Make it."""
        return self.way(self.paired, self.entries)


def plans(ways: Ways, engine: Engine, saturates: bool) -> list[Plan]:
    """Plan the attempts in order.

    Where products saturate, weights that cannot saturate come first, at the full speed of the kernels. Then come exact
    products, at two thirds of that speed.
    """
    found = [Plan(way, saturates, {}) for way in ways.ours]
    if saturates and engine.exact is not None:
        return [*found, *(Plan(way, False, engine.exact) for way in (*ways.ours, *ways.others))]
    return [*found, *(Plan(way, saturates, {}) for way in ways.others)]


def static(captured: Captured, quantize: Quantize, model: onnx.ModelProto, parts: Parts, *, whole: bool = False) -> Way:
    """Return the way of static quantisation by a fit that all compilers of the model share.

    The fit does not depend on the engine. With `whole`, all calibration inputs are used for calibration, and only
    golden samples judge the result.
    """
    parts = parts._replace(calibration=everything(captured, parts)) if whole else parts

    def way(paired: bool, entries: Mapping[str, str]) -> Attempt:
        asked = key_of(quantize.epochs, quantize.sparsity, paired, *(["whole"] if whole else []))[:16]
        folder = captured.shared(
            f"fit-{asked}", lambda into: fit.write(fitted(captured, quantize, model, parts, paired), into)
        )
        found = fit.read(folder)
        recipe = f"static{' of all inputs' * whole}{', weights in safe pairs' * paired}{_EXACT * bool(entries)}"
        if quantize.epochs:
            recipe = f"{recipe}, fine-tuned {quantize.epochs} epochs"
        return Attempt(recipe, entries, found.model, found.names, found.written, found.kept, found.noise, not whole)

    return way


def everything(captured: Captured, parts: Parts) -> tuple[GoldenSample, ...]:
    """Return all given calibration inputs if golden samples judge, else the part to calibrate on."""
    return tuple(captured.calibration) if captured.judges else parts.calibration


def plain_static(model: onnx.ModelProto, calibration: Sequence[GoldenSample]) -> Way:
    def way(paired: bool, entries: Mapping[str, str]) -> Attempt:
        named = with_biases(copy.deepcopy(model))

        def write(kept: tuple[str, ...]) -> onnx.ModelProto:
            return plain.written(named, [one.inputs for one in calibration], kept, seven_bits=paired)

        recipe = f"plain static{', weights of seven bits' * paired}{_EXACT * bool(entries)}"
        names = [layer.name for layer in Graph(named).layers]
        return Attempt(recipe, entries, named, names, cache(write), searched=False)

    return way


def fitted(captured: Captured, quantize: Quantize, model: onnx.ModelProto, parts: Parts, paired: bool) -> fit.Fit:
    """Fit static quantisation to `model`; prune and fine-tune it where the author asks for that."""
    inputs = [sample.inputs for sample in parts.calibration]
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
    """Train the student on the float network's outputs for the calibration inputs."""
    inputs, outputs = ([getattr(one, side) for one in parts.calibration] for side in ("inputs", "outputs"))
    graph = student.graph
    step = propagation.together(graph, inputs)
    names = [output_names.outside(name, graph.inputs) for name in graph.outputs]
    wanted = propagation.pieces(outputs, names, step)
    finetune.train(
        student, propagation.pieces(inputs, graph.inputs, step), list(zip(*wanted.values(), strict=True)), epochs
    )


def without_ranges(model: onnx.ModelProto) -> Way:
    def way(paired: bool, entries: Mapping[str, str]) -> Attempt:
        quantised = cache(lambda: dynamic.written(model, seven_bits=paired))

        def write(kept: tuple[str, ...]) -> onnx.ModelProto:
            return dynamic.with_float(quantised(), model, kept)

        recipe = f"dynamic{', weights of seven bits' * paired}{_EXACT * bool(entries)}"
        return Attempt(recipe, entries, model, dynamic.layers(model), write)

    return way
