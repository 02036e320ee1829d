"""Requests a second beside the bare app, and what a request costs in processor time: taken in turns, as ratios."""

from __future__ import annotations

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import classifier
from benchmarks.figure import Figure, spread
from tests.road.box import RunningBox
from tests.road.deadline import eventually

ROUNDS = 5
SECONDS = 3
CONNECTIONS = 16
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Load:
    """One run of wrk against a server."""

    rate: float
    p99_ms: float
    cpu_us: float


def measure() -> Iterator[Figure]:
    """Ratios of the box to the bare app for `echo` and for a photo; nothing where wrk is not installed."""
    wrk = shutil.which("wrk")
    if wrk is None:
        print("no throughput: install wrk (apt-get install wrk)", file=sys.stderr)
        return
    with classifier.running() as box, bare_app(box) as bare, tempfile.TemporaryDirectory() as folder:
        photo = classifier.photo()
        yield from beside(wrk, box, bare, "echo", script(folder, b'{"n": 1}', "application/json"), (1.0, 1.5))
        yield from beside(wrk, box, bare, "classify_image", script(folder, photo.body, photo.kind), (None, None))


def beside(
    wrk: str, box: RunningBox, bare: Bare, name: str, lua: Path, bounds: tuple[float | None, float | None]
) -> Iterator[Figure]:
    """Rate, p99 and processor time of `name` on the box over the bare app's, medians of rounds that take turns."""
    for url, pid in ((f"{box.url}/fn/{name}", box.pid), (f"{bare.url}/{name}", bare.pid)):
        load(wrk, url, pid, lua)  # both are warm, and the box has as many instances as it wants
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(load(wrk, f"{box.url}/fn/{name}", box.pid, lua))
        theirs.append(load(wrk, f"{bare.url}/{name}", bare.pid, lua))
    how = f"wrk, {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s in turns"
    rates = [one.rate for one in ours]
    yield Figure(f"{name}, rate", statistics.median(rates), "/s", f"{how} ({spread(rates)})", better="more")
    pairs = list(zip(ours, theirs, strict=True))
    yield ratio(f"{name}, rate / bare", [a.rate / b.rate for a, b in pairs], bounds[0], better="more")
    yield ratio(f"{name}, p99 / bare", [a.p99_ms / b.p99_ms for a, b in pairs], None)
    cpu = f"{name}, CPU / bare"
    yield ratio(cpu, [a.cpu_us / b.cpu_us for a, b in pairs], bounds[1])


def ratio(name: str, values: list[float], bound: float | None, *, better: str = "less") -> Figure:
    how = f"median of {len(values)} ratios ({spread(values)})"
    return Figure(name, statistics.median(values), "x", how, bound, "more" if better == "more" else "less")


@dataclass(frozen=True)
class Bare:
    """The bare app, running."""

    url: str
    pid: int


@contextmanager
def bare_app(box: RunningBox) -> Iterator[Bare]:
    """benchmarks/bare_app.py with the very model that the box was sent, on a free port."""
    (model,) = box.home.glob("bundles/*/artifacts/efficientnet/portable-fp32/model.onnx")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"BARE_MODEL": str(model), "BARE_LABELS": str(classifier.FOLDER / "labels.txt")}
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    command = [sys.executable, "-m", "uvicorn", "benchmarks.bare_app:app", "--port", str(port), *options]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        eventually("the bare app answers", lambda: answers(port), seconds=30.0)
        yield Bare(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        process.wait(10)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def script(folder: str, body: bytes, content_type: str) -> Path:
    """A wrk script that posts `body`."""
    path = Path(folder) / f"{len(body)}.lua"
    data = path.with_suffix(".body")
    data.write_bytes(body)
    path.write_text(
        f'wrk.method = "POST"\nwrk.headers["content-type"] = "{content_type}"\n'
        f'wrk.body = io.open("{data}", "rb"):read("*a")\n'
    )
    return path


def load(wrk: str, url: str, pid: int, lua: Path) -> Load:
    """One run of wrk; raises when any answer was not a success."""
    before = cpu_s(pid)
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", str(lua), url]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    spent = cpu_s(pid) - before
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"wrk saw failures:\n{told}")
    rate, requests = re.search(r"Requests/sec:\s*([\d.]+)", told), re.search(r"(\d+) requests in", told)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s)", told)
    if rate is None or requests is None or late is None:
        raise RuntimeError(f"wrk told no figures:\n{told}")
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}[late[2]]
    return Load(float(rate[1]), float(late[1]) * unit, spent * 1e6 / int(requests[1]))


def cpu_s(pid: int) -> float:
    """Processor seconds of a process and all below it that live."""
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in [process, *process.children(recursive=True)]]
    return float(sum(one.user + one.system for one in times))
