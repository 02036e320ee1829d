"""Fine-tuning and pruning of EfficientNet-Lite0 on the photos at hand: `python -m benchmarks.finetuning`.

For each of four recipes the share of held-out crops with eager's likeliest class, of those of which eager is sure, the
error over how far scores move, the file's size and the latency on one thread.

    python -m benchmarks.finetuning [--crops N] [--epochs N] [--sparsity S]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks import crops, machine
from benchmarks.quantisation import worst
from benchmarks.stage import CLASSIFIER
from tests.e2e.bundles import EXAMPLES

if TYPE_CHECKING:
    from edgefn.golden import GoldenSample
    from edgefn.quantization import Quantize
    from edgefn.session import Session

SURE = 0.3
"""Eager's probability of its likeliest class, over which it counts as sure."""

ROUNDS = 15


class Row(NamedTuple):
    """What one recipe gives."""

    agreement: float
    sure: float
    error: float
    megabytes: float
    seconds: float


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--crops", type=int, default=96, help="calibration inputs (default: 96)")
    parser.add_argument("--epochs", type=int, default=3, help="of fine-tuning (default: 3)")
    parser.add_argument("--sparsity", type=float, default=0.1, help="share of channels removed (default: 0.1)")
    asked = parser.parse_args()

    from edgefn.compile.capture.eager import one_thread
    from edgefn.quantization import Quantize

    recipes = {
        "int8": Quantize(),
        f"int8, {asked.epochs} epochs": Quantize(epochs=asked.epochs),
        f"int8, {asked.sparsity:.0%} of channels removed": Quantize(sparsity=asked.sparsity),
        f"int8, the same and {asked.epochs} epochs": Quantize(sparsity=asked.sparsity, epochs=asked.epochs),
    }
    with one_thread():
        caught, held = captured(asked.crops)
        for name, quantize in recipes.items():
            began = time.monotonic()
            row = measured(caught, held, quantize)
            print(
                f"{name:44} agreement {row.agreement:.3f} (sure {row.sure:.3f})  error {row.error:.3f}  "
                f"{row.megabytes:.1f} MB  {row.seconds * 1e3:.1f} ms  made in {time.monotonic() - began:.0f} s",
                flush=True,
            )
    return 0


def captured(count: int) -> tuple[Any, list[GoldenSample]]:
    """classify_image's network with `count` calibration inputs, and held-out samples of photos that none is of."""
    sys.path.insert(0, str(EXAMPLES / CLASSIFIER))
    from calibration import crops as calibration_crops
    from classify_image import efficientnet

    from edgefn.accuracy.bound import Bound
    from edgefn.accuracy.options import Accuracy
    from edgefn.accuracy.rules import Judging
    from edgefn.compile.capture.capture import capture
    from edgefn.compile.capture.eager import EagerSession
    from edgefn.golden import GoldenSample

    eager = EagerSession(efficientnet.builder, efficientnet.spec)
    inputs = list(calibration_crops())
    step = max(1, len(inputs) // count)
    found = capture(eager, {"batch": 1})
    found.sizes = {"batch": 1}
    found.bound = Bound(100.0, None)
    found.judging = Judging(
        accuracy=Accuracy(error={"int8": 10.0}, top1=0.0)
    )  # all are shown, also what no build keeps
    found.calibration = [GoldenSample(one, eager.run(one)) for one in inputs[::step][:count]]
    held = [{"pixels": one[np.newaxis]} for one in crops.held_out()]
    return found, [GoldenSample(one, eager.run(one)) for one in held]


def measured(caught: Any, held: Sequence[GoldenSample], quantize: Quantize) -> Row:
    """Make the network int8 so, and measure it."""
    import onnx

    from edgefn.compile.quantize import int8
    from edgefn.compile.quantize.engine import ONNX_RUNTIME
    from edgefn.targets.profiles import target

    caught.quantize = quantize
    made = int8.made(caught, target(machine.int8()), onnx.load(caught.onnx(20)), ONNX_RUNTIME)
    session = ONNX_RUNTIME.opened(made.model, made.session)
    found = [session.run(one.inputs) for one in held]
    (name,) = held[0].outputs
    wanted, given = (np.concatenate([one[name] for one in side]) for side in ([one.outputs for one in held], found))
    same = wanted.argmax(axis=1) == given.argmax(axis=1)
    odds = np.exp(wanted - wanted.max(axis=1, keepdims=True))
    sure = (odds / odds.sum(axis=1, keepdims=True)).max(axis=1) > SURE
    size = made.model.ByteSize() / 1e6
    return Row(float(same.mean()), float(same[sure].mean()), worst(found, held), size, latency(session, held[0]))


def latency(session: Session, sample: GoldenSample) -> float:
    """Return the median of some runs, in seconds."""
    session.run(sample.inputs)
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        session.run(sample.inputs)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
