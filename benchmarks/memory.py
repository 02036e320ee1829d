"""Private memory of each kind of process: what nothing else shares, so what the machine gets back when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks import classifier
from benchmarks.figure import Figure
from tests.road.box import RunningBox
from tests.road.deadline import eventually

BOX_BOUND_MB = 80.0
CALLS = 100


def measure() -> Iterator[Figure]:
    """MB (Private_Clean + Private_Dirty of /proc/PID/smaps_rollup) of box, zygote, template and instance."""
    with classifier.running() as box:
        for name in (classifier.NAME, "echo"):
            box.stop_function(name)
        yield Figure("box process, idle", private_mb(box.pid), "MB", "2 functions deployed, none running", BOX_BOUND_MB)
        yield Figure("zygote, idle", private_mb(box.zygote().pid), "MB", "engine imported, no function")
        picture = classifier.photo()
        for _ in range(CALLS):
            classifier.call(box, picture)
        yield from of_function(box)
        after = f"after {CALLS} classifications, stopped again"
        box.stop_function(classifier.NAME)
        eventually("only the zygote is left", lambda: len(box.pids()) == 2)
        yield Figure("box process, used", private_mb(box.pid), "MB", after, BOX_BOUND_MB)


def of_function(box: RunningBox) -> Iterator[Figure]:
    status = box.status(classifier.NAME)
    template, (instance, *_) = status["template"], status["instances"]
    yield Figure("template of classify_image", private_mb(template["pid"]), "MB", "parked, beside its zygote")
    yield Figure("instance of classify_image", private_mb(instance["pid"]), "MB", f"after {CALLS} classifications")


def private_mb(pid: int) -> float:
    """MB (10^6 bytes) that only this process holds."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024 / 1e6
