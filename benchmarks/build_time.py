"""How long a build of the real classifier takes when nothing of it is cached."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from benchmarks.figure import Figure
from benchmarks.stage import CLASSIFIER
from tests.road.bundles import EXAMPLES

BOUND_S = 60.0


def measure() -> Iterator[Figure]:
    """Seconds for one build from nothing: import of torch, capture, golden samples, ONNX, check, bundle."""
    yield Figure("build of classify_image", from_nothing(), "s", "nothing cached, once", BOUND_S)


def from_nothing() -> float:
    """Seconds that a build of classify_image takes when nothing is cached, the interpreter's start included."""
    with tempfile.TemporaryDirectory(prefix="edgefn-bench-") as folder:
        source = str(EXAMPLES / CLASSIFIER)
        command = [sys.executable, "-m", "edgefn.compile", source, "--output", f"{folder}/layout", "--force"]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began
