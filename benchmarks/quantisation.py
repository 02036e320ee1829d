"""Our int8 beside plain static quantisation by ONNX Runtime: `python -m benchmarks.quantisation [NAME…]`.

The error is RMS(int8 - eager) over how far eager's answer moves between samples, of the worst slice: 1.0 is no better
than answering the mean. Slices are the outputs and their channels. On samples that neither was calibrated with.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.architectures import Architecture, listed

if TYPE_CHECKING:
    import onnx

    from edgefn.compile.quantize.engine import Engine
    from edgefn.golden import GoldenSample

CALIBRATION, HELD_OUT = 48, 24
BOUND = 0.10
"""Of the error, for int8."""

TARGETS = ("x86-64-v4/int8", "x86-64-v4/int8@openvino")
MAX_CHANNELS = 512


def error(found: Sequence[NDArray[Any]], wanted: Sequence[NDArray[Any]]) -> float:
    """RMS(found - wanted) over the spread of `wanted` between samples; the worst of the whole and its channels."""
    a, r = (np.concatenate(side).astype(np.float64) for side in (found, wanted))
    spread = r.var(axis=0, ddof=1, keepdims=True) + np.zeros_like(r)
    square = np.square(a - r)
    slices = [(square.mean(), spread.mean())]
    for axis in {1, r.ndim - 1} - {0}:
        if r.ndim > 1 and 1 < r.shape[axis] <= MAX_CHANNELS:
            others = tuple(one for one in range(r.ndim) if one != axis)
            slices += zip(square.mean(axis=others), spread.mean(axis=others), strict=True)
    largest = max(variance for _, variance in slices)
    moving = [(e, variance) for e, variance in slices if variance > 1e-6 * largest]
    return float(max((e / variance) ** 0.5 for e, variance in moving))


def worst(found: Sequence[Mapping[str, Any]], samples: Sequence[GoldenSample]) -> float:
    """The error of the worst output."""
    names = [name for name, value in samples[0].outputs.items() if value.dtype.kind == "f"]
    return max(error([one[name] for one in found], [one.outputs[name] for one in samples]) for name in names)


def captured(one: Architecture, name: str) -> tuple[Any, list[GoldenSample]]:
    """The network, captured, with calibration inputs; and the samples held out."""
    from edgefn.accuracy.bound import Bound
    from edgefn.compile.capture.capture import capture
    from edgefn.compile.capture.eager import EagerSession
    from edgefn.golden import GoldenSample
    from edgefn.quantization import Quantize
    from edgefn.spec import ModelSpec, TensorSpec

    spec = ModelSpec(name, {key: TensorSpec(one.dtypes[key], shape) for key, shape in one.shapes.items()})
    eager = EagerSession(one.build, spec)
    draws = [one.draw(seed) for seed in range(CALIBRATION + HELD_OUT)]
    samples = [GoldenSample(inputs, eager.run(inputs)) for inputs in draws]
    found = capture(eager, {"batch": 1})
    found.sizes = {"batch": 1}
    found.calibration = samples[:CALIBRATION]
    found.quantize, found.bound = Quantize(), Bound(100.0, None)
    return found, samples[CALIBRATION:]


def plain(model: onnx.ModelProto, samples: Sequence[GoldenSample], kept: Sequence[str] = ()) -> onnx.ModelProto:
    """As ONNX Runtime's documentation quantises a network: prepared, minimum and maximum, a scale for each channel."""
    from edgefn.compile.quantize.static import plain

    return plain.written(model, [one.inputs for one in samples], kept, seven_bits=False)


def run(engine: Engine, model: onnx.ModelProto, samples: Sequence[GoldenSample], entries: Mapping[str, str]) -> float:
    """The error of `model` in `engine`."""
    session = engine.opened(model, entries)
    return worst([session.run(one.inputs) for one in samples], samples)


def compared(name: str, one: Architecture) -> bool:
    """Print a row for each target; whether ours is right, or plain is not either."""
    import onnx

    from edgefn.compile.capture.eager import one_thread
    from edgefn.compile.lower.openvino.int8 import ENGINE
    from edgefn.compile.quantize import int8
    from edgefn.compile.quantize.engine import ONNX_RUNTIME
    from edgefn.compile.quantize.graph.preparation import prepared
    from edgefn.errors import EdgefnError
    from edgefn.targets.profiles import target

    good = True
    with one_thread():
        caught, samples = captured(one, name)
        network = onnx.load(caught.onnx(20))
        theirs = plain(prepared(network), caught.calibration)
        for wanted, engine in zip(TARGETS, (ONNX_RUNTIME, ENGINE), strict=True):
            other, began = run(engine, theirs, samples, {}), time.monotonic()
            try:
                made = int8.made(caught, target(wanted), network, engine)
            except EdgefnError as refusal:
                print(f"{name:20} {engine_name(wanted):12} plain {other:7.4f}  ours refused: {refusal}", flush=True)
                good = good and other > BOUND
                continue
            ours = run(engine, made.model, samples, made.session)
            share = f"{made.share.operations:4.0%} of operations, {made.share.weights:4.0%} of weights"
            figures = f"plain {other:7.4f}  ours {ours:7.4f}  {share}  {made.recipe}, {time.monotonic() - began:.0f} s"
            print(f"{name:20} {engine_name(wanted):12} {figures}", flush=True)
            good = good and (ours <= BOUND or ours <= other)
    return good


def engine_name(name: str) -> str:
    """The engine of a target, as its name says it."""
    return name.partition("@")[2] or "onnxruntime"


def main() -> int:
    """Compare the architectures named on the command line, or all; leave with 1 where ours is behind."""
    chosen = sys.argv[1:]
    rows = [(name, compared(name, one)) for name, one in listed() if not chosen or name in chosen]
    behind = [name for name, good in rows if not good]
    print(f"{len(rows)} networks; ours is behind plain quantisation on {len(behind)}: {', '.join(behind) or 'none'}")
    return 1 if behind else 0


if __name__ == "__main__":
    sys.exit(main())
