"""What the box itself costs: requests with next to no work in them, beside the bare app."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from benchmarks import bare, beside, stage, wrk
from benchmarks.beside import Bounds
from benchmarks.figure import Figure
from benchmarks.stage import ARGMAX, CLASSIFIER, ECHO

TENSOR_SHAPE = (1, 3, 224, 224)


def measure() -> Iterator[Figure]:
    """Ratios of the box to the bare app for a small JSON and for a tensor of 602 kB; nothing without wrk."""
    if why := wrk.missing():
        print(f"no throughput: {why}", file=sys.stderr)
        return
    bundles = [stage.workshop().of(name) for name in (CLASSIFIER, ECHO, ARGMAX)]
    with stage.running(*bundles) as box, bare.running(bare.model_of(box)) as app:
        for name, body in ((ECHO, stage.ONE), (ARGMAX, tensor())):
            ours, theirs = stage.caller(box, name, body).answer(), stage.Caller(f"{app.url}/{name}", body).answer()
            if ours != theirs:
                raise RuntimeError(f"{name}: the box says {ours!r}, the bare app {theirs!r}")
        yield from beside.measure(box, app, ECHO, stage.ONE, Bounds(rate=1.0, cpu=1.5))
        yield from beside.measure(box, app, ARGMAX, tensor(), Bounds(rate=1.0))


def tensor() -> stage.Body:
    """602,112 bytes of float32, little-endian, the same in each run."""
    numbers = np.random.default_rng(1).random(TENSOR_SHAPE, np.float32)
    return stage.Body(numbers.astype("<f4").tobytes(), "application/octet-stream")
