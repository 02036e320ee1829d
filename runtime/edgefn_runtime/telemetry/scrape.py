"""The gauges of a box at the moment of a scrape, from facts that the supervisor knows already.

Starts nothing, and keeps a process's memory figure for FOOTPRINT_S alone: a function that is gone from the statuses is
gone from the scrape.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import UNSET
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from edgefn.api.functions import FunctionProcesses, InstanceInfo, OutputFigures, TemplateInfo
from edgefn_runtime.scheduling.lifecycle import FunctionState, InstanceState
from edgefn_runtime.workers.footprint import footprint

COUNTED_STATES = (InstanceState.STARTING, InstanceState.READY, InstanceState.DRAINING)
"""Each is there at 0 too: a gauge that vanishes cannot be graphed."""

FOOTPRINT_S = 10.0
"""A process's memory is measured so often at most: the kernel walks all of its pages, 2 to 4 ms of a processor."""


class Statuses(Collector):
    """A prometheus-client collector over the processes of every function; a failed one has none."""

    def __init__(
        self,
        statuses: Callable[[], Iterable[FunctionProcesses]],
        version: str,
        log_lines_dropped: Callable[[], int],
    ) -> None:
        self._statuses = statuses
        self._version = version
        self._log_lines_dropped = log_lines_dropped
        self._seen: list[FunctionProcesses] = []
        self._footprints: dict[int, tuple[float, int]] = {}
        """By process: the time of its last memory measurement, and the result."""

    def look(self) -> None:
        """Read the statuses that `collect` reports from now on.

        Must be called on the event loop, as `statuses` requires.
        """
        self._seen = list(self._statuses())

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the metrics are known only at a scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        statuses = self._seen
        yield _queue_depth(statuses)
        yield _instances(statuses)
        yield _states(statuses)
        yield self._memory(statuses)
        yield _ledger(statuses)
        yield _dropped(statuses, "lines", lambda output: output.dropped_lines)
        yield _dropped(statuses, "bytes", lambda output: output.dropped_bytes)
        yield CounterMetricFamily(
            "edgefn_log_lines_dropped", "Log lines lost because the disk was full.", self._log_lines_dropped()
        )
        info = GaugeMetricFamily("edgefn_box_info", "The box's version; always 1.", labels=("version",))
        info.add_metric((self._version,), 1)
        yield info

    def _memory(self, statuses: Iterable[FunctionProcesses]) -> Metric:
        family = GaugeMetricFamily(
            "edgefn_private_memory_bytes",
            "Memory that the template and all instances share with no other process.",
            labels=("function", "process"),
        )
        before, self._footprints = self._footprints, {}
        for status in statuses:
            template = self._private(status.template, before) if status.template else 0
            family.add_metric((status.name, "template"), template)
            family.add_metric((status.name, "instance"), sum(self._private(one, before) for one in status.instances))
        return family

    def _private(self, process: InstanceInfo | TemplateInfo, before: Mapping[int, tuple[float, int]]) -> int:
        """Return the private bytes of the process; 0 where it ended before the measurement."""
        if process.private_bytes is not UNSET:
            return process.private_bytes or 0
        pid, now = process.pid, time.monotonic()
        measured_at, size = before.get(pid, (-math.inf, 0))
        if now - measured_at >= FOOTPRINT_S:
            found = footprint(pid)
            measured_at, size = now, found.private_bytes if found is not None else 0
        self._footprints[pid] = measured_at, size
        return size


def _queue_depth(statuses: Iterable[FunctionProcesses]) -> Metric:
    family = GaugeMetricFamily("edgefn_queue_depth", "Requests waiting in the queue.", labels=("function",))
    for status in statuses:
        family.add_metric((status.name,), status.queued)
    return family


def _instances(statuses: Iterable[FunctionProcesses]) -> Metric:
    family = GaugeMetricFamily("edgefn_instances", "Instances, by state.", labels=("function", "state"))
    for status in statuses:
        counts = Counter(instance.state for instance in status.instances)
        for state in COUNTED_STATES:
            family.add_metric((status.name, state), counts[state])
    return family


def _states(statuses: Iterable[FunctionProcesses]) -> Metric:
    family = GaugeMetricFamily(
        "edgefn_function_state", "1 for the function's current state, 0 for the others.", labels=("function", "state")
    )
    for status in statuses:
        for state in FunctionState:
            family.add_metric((status.name, state), float(status.state == state))
    return family


def _ledger(statuses: Iterable[FunctionProcesses]) -> Metric:
    family = GaugeMetricFamily(
        "edgefn_ledger_bytes",
        "Memory that the box accounts for a process of this kind.",
        labels=("function", "process"),
    )
    for status in statuses:
        family.add_metric((status.name, "template"), status.memory.template_bytes)
        family.add_metric((status.name, "instance"), status.memory.instance_bytes)
    return family


def _dropped(statuses: Iterable[FunctionProcesses], unit: str, count: Callable[[OutputFigures], int]) -> Metric:
    family = CounterMetricFamily(
        f"edgefn_output_{unit}_dropped",
        f"Printed {unit} that were dropped because a function was over its budget.",
        labels=("function",),
    )
    for status in statuses:
        family.add_metric((status.name,), count(status.output))
    return family
