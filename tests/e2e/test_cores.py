"""A box on one core: instances that compute are as many as it has cores, those that wait are not; threads as asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psutil
import pytest

from edgefn.api.functions import CoreFigures, FunctionStatus
from tests.e2e.box import RunningBox
from tests.e2e.bundles import Bundles


@pytest.fixture
def one_core(tmp_path: Path) -> Iterator[RunningBox]:
    """A box that may use one of this machine's processors."""
    (first, *_) = sorted(os.sched_getaffinity(0))
    with RunningBox(tmp_path / "box", before=("taskset", "--cpu-list", str(first))) as box:
        yield box


def _at_once(box: RunningBox, name: str, seconds: float) -> set[int]:
    """The processes that answered nine calls at once."""
    with ThreadPoolExecutor(9) as callers:
        return set(callers.map(lambda _: box.call(name, seconds=seconds), range(9)))


def test_what_computes_is_bounded_by_the_cores_and_what_waits_is_not(one_core: RunningBox, bundles: Bundles) -> None:
    """Both may have three instances. Once their use is known, one has one, the other all; status says why."""
    for name in ("spins", "slow"):
        one_core.deploy(bundles.of(name))
        assert one_core.status(name).cores == CoreFigures(
            available=1.0,
            threads=1,
            optimize="throughput",
            use=None,
            most_instances=3,
            why="scale; not measured yet",
        )
        for _ in range(6):
            one_core.call(name, seconds=0.1)
    assert len(_at_once(one_core, "spins", 0.1)) == 1
    computes = _cores(one_core.status("spins"))
    assert computes.most_instances == 1
    assert computes.why.startswith("1 core ÷ ")
    assert len(_at_once(one_core, "slow", 0.3)) == 3
    waits = _cores(one_core.status("slow"))
    assert waits.most_instances == 3
    assert (waits.use or 1) < 0.34 < (computes.use or 0)


def _cores(status: FunctionStatus) -> CoreFigures:
    assert status.cores is not None
    return status.cores


def test_threads_are_as_asked_and_start_in_the_instance(one_core: RunningBox, bundles: Bundles) -> None:
    """The template imports the handler and has one thread; each instance loads the model with two."""
    config = bundles.of("linear").config
    spec = msgspec.structs.replace(config.function, threads=2)
    one_core.deploy(
        bundles.with_config("linear", msgspec.structs.replace(config, function=spec), title="linear-on-two-threads")
    )
    assert one_core.call("linear", x=[1, 2, 3, 4]) == [3, 5, 7, 9]
    assert psutil.Process(one_core.template_of("linear")).num_threads() == 1
    status = one_core.status("linear")
    (instance,) = status.instances
    assert psutil.Process(instance.pid).num_threads() == 2
    assert status.phases["session_s"] > 0
    assert (_cores(status).threads, _cores(status).most_instances) == (2, 1)
    assert _cores(status).why == "1 core ÷ 2 threads, not measured yet"


def test_latency_takes_the_cores_there_are(one_core: RunningBox, bundles: Bundles) -> None:
    """On one core that is one thread, and one instance until it is known what it uses."""
    config = bundles.of("linear").config
    spec = msgspec.structs.replace(config.function, optimize="latency")
    one_core.deploy(
        bundles.with_config("linear", msgspec.structs.replace(config, function=spec), title="linear-for-latency")
    )
    assert one_core.call("linear", x=[1, 2, 3, 4]) == [3, 5, 7, 9]
    found = _cores(one_core.status("linear"))
    assert (found.threads, found.optimize, found.most_instances) == (1, "latency", 1)
