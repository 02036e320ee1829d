"""Requests a second through gateway and instance, for a function that does nothing."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import classifier
from benchmarks.figure import Figure, spread
from tests.road.box import RunningBox

CALLS = 500
SECONDS = 5
CONNECTIONS = 16

SCRIPT = """
wrk.method = "POST"
wrk.body = '{"n": 1}'
wrk.headers["content-type"] = "application/json"
"""


def measure() -> Iterator[Figure]:
    """Latency of one caller, and the rate that wrk reaches where it is installed."""
    with classifier.running() as box:
        box.call("echo", n=1)
        took = [one(box) * 1e3 for _ in range(CALLS)]
        how = f"one caller, median of {CALLS} ({spread(took)}); most of it is the Python client"
        yield Figure("echo, latency", statistics.median(took), "ms", how)
        if wrk := shutil.which("wrk"):
            rate = requests_per_second(wrk, f"{box.url}/fn/echo")
            how = f"wrk, {CONNECTIONS} connections, {SECONDS} s, on the box's own cores"
            yield Figure("echo, rate", rate, "/s", how, better="more")


def one(box: RunningBox) -> float:
    began = time.perf_counter()
    box.call("echo", n=1)
    return time.perf_counter() - began


def requests_per_second(wrk: str, url: str) -> float:
    """What wrk reaches; raises when any answer was not a success."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        Path(script.name).write_text(SCRIPT)
        command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", script.name, url]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"wrk saw failures:\n{told}")
    found = re.search(r"Requests/sec:\s*([\d.]+)", told)
    if found is None:
        raise RuntimeError(f"wrk told no rate:\n{told}")
    return float(found[1])
