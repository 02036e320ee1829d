"""How long a build of the real classifier takes when nothing of it is cached."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import classifier
from benchmarks.figure import Figure

BOUND_S = 60.0


def measure() -> Iterator[Figure]:
    """Seconds for one build from nothing: import of torch, capture, golden samples, ONNX, check, bundle."""
    yield Figure("build of classify_image", classifier.build_from_nothing(), "s", "nothing cached, once", BOUND_S)
