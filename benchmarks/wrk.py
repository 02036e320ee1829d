"""The load generator: wrk, from Debian. Sixteen connections, each with its next request as soon as it is answered."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.stage import Body

CONNECTIONS = 16
_IN_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


class Told(NamedTuple):
    """What wrk prints of a run."""

    requests: int
    rate: float
    p99_ms: float


@dataclass(frozen=True)
class Load:
    """One run of wrk against a server; `cpu_us` is the processor time of all its processes for one request."""

    rate: float
    p99_ms: float
    cpu_us: float


def missing() -> str:
    """How to get wrk, or "" where it is."""
    return "" if shutil.which("wrk") else "wrk is not installed: apt-get install wrk (Debian), brew install wrk (macOS)"


def read(text: str) -> Told:
    """The figures in wrk's words. Raises RuntimeError when an answer was no success or there are no figures."""
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"wrk saw failures:\n{text}")
    requests, rate = re.search(r"(\d+) requests in", text), re.search(r"Requests/sec:\s*([\d.]+)", text)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", text)
    if requests is None or rate is None or late is None:
        raise RuntimeError(f"wrk told no figures:\n{text}")
    return Told(int(requests[1]), float(rate[1]), float(late[1]) * _IN_MS[late[2]])


def script(folder: Path, body: Body) -> Path:
    """A wrk script that posts `body`, written into `folder`."""
    path = folder / f"{len(body.data)}.lua"
    data = path.with_suffix(".body")
    data.write_bytes(body.data)
    path.write_text(
        f'wrk.method = "POST"\nwrk.headers["content-type"] = "{body.content_type}"\n'
        f'wrk.body = io.open("{data}", "rb"):read("*a")\n'
    )
    return path


def load(url: str, pid: int, lua: Path, seconds: int) -> Load:
    """One run against the server whose first process is `pid`; raises when any answer was not a success."""
    before = cpu_s(pid)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", str(lua), url]
    told = read(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return Load(told.rate, told.p99_ms, (cpu_s(pid) - before) * 1e6 / max(1, told.requests))


def cpu_s(pid: int) -> float:
    """Processor seconds of a process and all below it that live."""
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in [process, *process.children(recursive=True)]]
    return float(sum(one.user + one.system for one in times))
