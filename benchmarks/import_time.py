"""What `import edgefn` adds to the start of an interpreter: each handler and each command line pays it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.figure import Figure, median

RUNS = 25
BOUND_MS = 60.0
STATEMENTS = {
    "import edgefn": "import edgefn",
    "import of the decorators": "from edgefn import Image, edge_function, edge_model, tensor",
}


def measure() -> Iterator[Figure]:
    """Milliseconds over a bare interpreter: medians of runs that take turns, so that both see the same machine."""
    codes = {"bare": "pass"} | STATEMENTS
    for code in codes.values():  # bytecode is written and the page cache is warm
        start(code)
    runs = [{name: start(code) for name, code in codes.items()} for _ in range(RUNS)]
    for name in STATEMENTS:
        added = [(run[name] - run["bare"]) * 1e3 for run in runs]
        yield median(name, added, "ms", f"over bare Python, {RUNS} pairs", BOUND_MS)


def start(code: str) -> float:
    """Seconds that a fresh interpreter takes to run `code`."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return time.perf_counter() - began
