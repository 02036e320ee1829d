"""What 64 clients that mean harm do to the others: the answers of another function, and the memory of the box.

The same processor load without them is made by processes that burn as much as these clients, and the box for them, did.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks import stage
from benchmarks.figure import Figure, ratio
from benchmarks.stage import ECHO, Body
from tests.e2e import hostile_handshakes
from tests.e2e.box import RunningBox
from tests.e2e.hostile import CONNECTIONS, KINDS
from tests.e2e.processes import name_of

ROOT = Path(__file__).parents[1]
CALLED = "counts"
"""The function of those who mean no harm."""
ROUNDS = 5
SECONDS = 6.0
SETTLES_S = 0.5
PAUSE_S = 0.004
MAX_RATIO, MAX_MB = 2.0, 150.0
CLIENT_MEMORY = "16MiB"
BURN = """
import sys, time
share = float(sys.argv[1])
while True:
    until = time.thread_time() + 0.01 * share
    while time.thread_time() < until:
        pass
    time.sleep(0.01 * (1 - share))
"""


class Attack(NamedTuple):
    """One round: the 99th percentile of the answers, processor time a second of others, the box's largest size."""

    p99_s: float
    burnt: tuple[float, float]
    rss_bytes: int


def measure() -> Iterator[Figure]:
    """The p99 beside such clients over the p99 beside the same load, and the most that the box process held."""
    options = ["--client-memory", CLIENT_MEMORY]
    with (
        tempfile.TemporaryDirectory(prefix="edgefn-bench-") as folder,
        RunningBox(Path(folder) / "box", options=options) as box,
    ):
        for name in (ECHO, "generous", CALLED):
            box.deploy(stage.workshop().of(name))
        rounds = [in_turns(box, SECONDS) for _ in range(ROUNDS)]
    yield from _p99("hostile clients", f"{CONNECTIONS} connections of {len(KINDS)} kinds", rounds)
    most = max(attack.rss_bytes for attack, _ in rounds) / 1e6
    yield Figure("the box's process", most, "MB", f"at most, resident, --client-memory {CLIENT_MEMORY}", MAX_MB)
    yield from _handshakes()


def _handshakes() -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="edgefn-bench-") as folder,
        RunningBox(Path(folder) / "box", options=["--tls", "auto"]) as box,
    ):
        box.deploy(stage.workshop().of(CALLED))
        rounds = [in_turns(box, SECONDS, "tests.e2e.hostile_handshakes") for _ in range(ROUNDS)]
    crowd = f"{hostile_handshakes.CONNECTIONS} connections of {len(hostile_handshakes.KINDS)} kinds"
    yield from _p99("hostile TLS handshakes", crowd, rounds)


def _p99(beside_what: str, crowd: str, rounds: list[tuple[Attack, float]]) -> Iterator[Figure]:
    how = f"{crowd} for {SECONDS:g} s, in turns with as much burnt"
    beside, alone = [attack.p99_s * 1e3 for attack, _ in rounds], [p99_s * 1e3 for _, p99_s in rounds]
    yield Figure(f"p99 beside {beside_what}", statistics.median(beside), "ms", f"of {CALLED}, one caller")
    yield ratio(f"p99 beside {beside_what} / burnt", beside, alone, how, MAX_RATIO)


def in_turns(box: RunningBox, seconds: float, clients: str = "tests.e2e.hostile") -> tuple[Attack, float]:
    """Return an attack by the program `clients`, and the 99th percentile when as much processor time is burnt."""
    attack = attacked(box, seconds, clients)
    with ExitStack() as burning:
        for share in attack.burnt:
            burner = subprocess.Popen([sys.executable, "-c", BURN, str(min(1.0, share))])
            burning.callback(burner.wait)
            burning.callback(burner.kill)
        time.sleep(SETTLES_S)
        return attack, percentile(latencies(box, seconds, box_process(box)).times)


def attacked(box: RunningBox, seconds: float, program: str) -> Attack:
    """Measure the answers of `CALLED` while the clients are there."""
    host, _, port = box.url.partition("://")[2].partition(":")
    before = latencies(box, seconds / 3, box_process(box))
    command = [sys.executable, "-m", program, host, port, str(seconds + 2 * SETTLES_S)]
    clients = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        time.sleep(SETTLES_S)
        theirs = psutil.Process(clients.pid)
        began = cpu_s(theirs)
        during = latencies(box, seconds, box_process(box))
        burnt = (cpu_s(theirs) - began) / seconds
    finally:
        clients.wait(60)
    return Attack(percentile(during.times), (burnt, max(0.0, during.cpu - before.cpu)), during.rss_bytes)


class Latencies(NamedTuple):
    """The times of answers, the box's processor time a second, and its largest size."""

    times: list[float]
    cpu: float
    rss_bytes: int


def latencies(box: RunningBox, seconds: float, process: psutil.Process) -> Latencies:
    """Call `CALLED` again and again, with a pause between, for so long. Raises RuntimeError where one is refused."""
    call = stage.Caller(f"{box.url}/fn/{CALLED}", Body(b'{"seconds": 0}', "application/json"))
    call()  # warm
    began, cpu, times, largest = time.monotonic(), others_s(process), [], 0
    while time.monotonic() - began < seconds:
        asked = time.perf_counter()
        call()
        times.append(time.perf_counter() - asked)
        largest = max(largest, process.memory_info().rss)
        time.sleep(PAUSE_S)
    return Latencies(times, (others_s(process) - cpu) / seconds, largest)


def box_process(box: RunningBox) -> psutil.Process:
    """The box's own process, without what it started."""
    return psutil.Process(box.pid)


def others_s(process: psutil.Process) -> float:
    """Processor seconds of the box and all of its functions but `CALLED`."""
    names = {one: name_of(one) for one in process.children(recursive=True)}
    return cpu_s(process) + sum(cpu_s(one) for one, name in names.items() if name != CALLED)


def cpu_s(process: psutil.Process) -> float:
    """Processor seconds of one process."""
    times = process.cpu_times()
    return float(times.user + times.system)


def percentile(times: list[float]) -> float:
    """The 99th of a hundred."""
    return statistics.quantiles(times, n=100)[98]
