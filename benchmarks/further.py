"""What a further instance of a loaded model takes: time to start, and memory beside its template and its siblings."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import resident, stage
from benchmarks.figure import Figure, median
from benchmarks.stage import CLASSIFIER, PHOTO, Caller
from edgefn.api.functions import FunctionStatus, InstanceInfo
from tests.e2e.box import RunningBox
from tests.e2e.processes import kill9

INSTANCES = 4
ROUNDS = 15
CALLS = 25
"""Calls of each instance before its memory is read."""
WEIGHTS = "finished.onnx.data"
START_MS, PRIVATE_MB = 15.0, 15.0


def measure() -> Iterator[Figure]:
    """Milliseconds of the box's own `fork` phase; MB that instances 2 to 4 add, with the weights looked at."""
    with stage.running(stage.scaled(CLASSIFIER, 0, 2)) as box:
        callers = [stage.caller(box, CLASSIFIER, PHOTO) for _ in range(2)]
        callers[0]()
        box.until("a template is there", CLASSIFIER, lambda status: bool(status.template))
        starts = [took for _ in range(ROUNDS) if (took := start_ms(box, callers))]
    how = "order to ready, the box's phase `fork`, while the first one works"
    yield median("second instance, start", starts, "ms", how, START_MS)
    with stage.running(stage.scaled(CLASSIFIER, INSTANCES, INSTANCES)) as box:
        callers = [stage.caller(box, CLASSIFIER, PHOTO) for _ in range(INSTANCES)]
        box.until("all instances are there", CLASSIFIER, lambda status: len(ready(status)) == INSTANCES)
        for _ in range(CALLS):
            at_once(callers)
        yield from of_memory(box, box.status(CLASSIFIER))


def start_ms(box: RunningBox, callers: list[Caller]) -> float:
    """Mean start of the instances that the `callers` at once bring forth beside one that is there; 0 without any.

    On a busy machine a call may be answered before the next one comes: then nothing had to be started.
    """
    for instance in box.status(CLASSIFIER).instances[1:]:
        kill9(instance.pid)
    box.until("one instance is left", CLASSIFIER, lambda status: len(status.instances) == 1)
    before = forks(box.http)
    at_once(callers)
    # An answer may come before the last instance that was started for it.
    box.until("all are ready", CLASSIFIER, lambda status: len(ready(status)) == len(status.instances))
    count, seconds = (after - earlier for after, earlier in zip(forks(box.http), before, strict=True))
    return seconds / count * 1e3 if count else 0.0


def at_once(callers: list[Caller]) -> None:
    with ThreadPoolExecutor(len(callers)) as pool:
        list(pool.map(lambda call: call(), callers))


def ready(status: FunctionStatus) -> list[InstanceInfo]:
    return [one for one in status.instances if one.state != "starting"]


def forks(client: httpx.Client) -> tuple[float, float]:
    """How many instances the box has forked for the classifier, and the seconds of all of them."""
    return of_phase(client.get("/metrics").raise_for_status().text, CLASSIFIER, "fork")


def of_phase(text: str, function: str, phase: str) -> tuple[float, float]:
    """(count, sum in seconds) of a phase of a function's starts, from a box's /metrics."""
    found = {"count": 0.0, "sum": 0.0}
    for family in text_string_to_metric_families(text):
        for sample in family.samples if family.name == "edgefn_cold_start_seconds" else ():
            if (sample.labels.get("function"), sample.labels.get("phase")) == (function, phase):
                found[sample.name.rpartition("_")[2]] = sample.value
    return found["count"], found["sum"]


def of_memory(box: RunningBox, status: FunctionStatus) -> Iterator[Figure]:
    template, pids = box.template_of(CLASSIFIER), [one.pid for one in status.instances]
    further = [resident.private_mb(pid) for pid in pids[1:]]
    how = f"USS of instances 2 to {INSTANCES}, {CALLS} calls or so each, template and siblings there"
    yield median("further instance, private", further, "MB", how, PRIVATE_MB)
    yield Figure("first instance, private", resident.private_mb(pids[0]), "MB", "the same")
    yield Figure("template, private", resident.private_mb(template), "MB", "beside zygote and instances")
    maps = [resident.mapped(pid, WEIGHTS) for pid in (template, *pids)]
    dirty = sum(one.private_dirty for one in maps)
    where = f"{WEIGHTS} in {sum(one.mappings > 0 for one in maps)} processes"
    yield Figure("weights, written copies", dirty, "MB", f"Private_Dirty of {where}", 0.0)
    (file,) = box.home.glob(f"finished/**/{WEIGHTS}")
    size, held = file.stat().st_size / resident.MB, sum(one.pss for one in maps)
    yield Figure("weights, held / file", held / size, "x", f"PSS of {where}; the file has {size:.1f} MB", 1.0)
    every = sum(map(resident.pss_mb, box.pids()))
    yield Figure("box in all, PSS", every, "MB", f"box, zygote, template, {len(pids)} instances")
