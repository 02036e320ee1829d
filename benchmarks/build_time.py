"""How long a build of the real classifier takes when nothing of it is cached."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import stage
from benchmarks.figure import Figure
from benchmarks.stage import CLASSIFIER

BOUND_S = 60.0


def measure() -> Iterator[Figure]:
    """Seconds for one build from nothing: import of torch, capture, golden samples, ONNX, check, bundle."""
    seconds = stage.workshop().build_anew(CLASSIFIER)
    yield Figure("build of classify_image", seconds, "s", "nothing cached, once; the bundle that the run uses", BOUND_S)
