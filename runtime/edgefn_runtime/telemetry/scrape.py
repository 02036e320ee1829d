"""The gauges of a box at the moment of a scrape, from facts that the supervisor knows already.

Starts nothing, and keeps a process's memory figure for FOOTPRINT_S alone: a function that is gone from the statuses is
gone from the scrape.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from edgefn_runtime.scheduling.lifecycle import FunctionState, InstanceState
from edgefn_runtime.workers.footprint import footprint

COUNTED_STATES = (InstanceState.STARTING, InstanceState.READY, InstanceState.DRAINING)
"""Each is there at 0 too: a gauge that vanishes cannot be graphed."""

FOOTPRINT_S = 10.0
"""A process's memory is measured so often at most: the kernel walks all of its pages, 2 to 4 ms of a processor."""


class Statuses(Collector):
    """A prometheus-client collector over the FunctionStatus of every function; a failed one has no processes."""

    def __init__(
        self,
        statuses: Callable[[], Iterable[Mapping[str, Any]]],
        version: str,
        log_lines_dropped: Callable[[], int],
    ) -> None:
        self._statuses = statuses
        self._version = version
        self._log_lines_dropped = log_lines_dropped
        self._seen: list[Mapping[str, Any]] = []
        self._footprints: dict[int, tuple[float, int]] = {}
        """By process: when its memory was measured, and what it was."""

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
        yield _dropped(statuses, "lines")
        yield _dropped(statuses, "bytes")
        yield CounterMetricFamily(
            "edgefn_log_lines_dropped", "Log lines lost because the disk was full.", self._log_lines_dropped()
        )
        info = GaugeMetricFamily("edgefn_box_info", "The box's version; always 1.", labels=("version",))
        info.add_metric((self._version,), 1)
        yield info

    def _memory(self, statuses: Iterable[Mapping[str, Any]]) -> Metric:
        family = GaugeMetricFamily(
            "edgefn_private_memory_bytes",
            "Memory that no other process shares, of the template and of all instances.",
            labels=("function", "process"),
        )
        before, self._footprints = self._footprints, {}
        for status in statuses:
            instances = status.get("instances", ())
            family.add_metric((status["name"], "template"), self._private(status.get("template"), before))
            family.add_metric((status["name"], "instance"), sum(self._private(one, before) for one in instances))
        return family

    def _private(self, process: Mapping[str, Any] | None, before: Mapping[int, tuple[float, int]]) -> int:
        """Return the private bytes of the process; 0 where there is none, or it ended before the measurement."""
        if process is None or "private_bytes" in process:
            return (process or {}).get("private_bytes") or 0
        pid, now = process["pid"], time.monotonic()
        measured_at, size = before.get(pid, (-math.inf, 0))
        if now - measured_at >= FOOTPRINT_S:
            found = footprint(pid)
            measured_at, size = now, found.private_bytes if found is not None else 0
        self._footprints[pid] = measured_at, size
        return size


def _queue_depth(statuses: Iterable[Mapping[str, Any]]) -> Metric:
    family = GaugeMetricFamily("edgefn_queue_depth", "Requests that wait.", labels=("function",))
    for status in statuses:
        family.add_metric((status["name"],), status.get("queued", 0))
    return family


def _instances(statuses: Iterable[Mapping[str, Any]]) -> Metric:
    family = GaugeMetricFamily("edgefn_instances", "Instances, by state.", labels=("function", "state"))
    for status in statuses:
        counts = Counter(instance["state"] for instance in status.get("instances", ()))
        for state in COUNTED_STATES:
            family.add_metric((status["name"], state), counts[state])
    return family


def _states(statuses: Iterable[Mapping[str, Any]]) -> Metric:
    family = GaugeMetricFamily(
        "edgefn_function_state", "1 for the state the function is in.", labels=("function", "state")
    )
    for status in statuses:
        for state in FunctionState:
            family.add_metric((status["name"], state), float(status["state"] == state))
    return family


def _ledger(statuses: Iterable[Mapping[str, Any]]) -> Metric:
    family = GaugeMetricFamily(
        "edgefn_ledger_bytes", "Memory that a process of this kind is counted with.", labels=("function", "process")
    )
    for status in statuses:
        for process in ("template", "instance"):
            counted = status.get("ledger", {}).get(f"{process}_bytes", 0)
            family.add_metric((status["name"], process), counted)
    return family


def _dropped(statuses: Iterable[Mapping[str, Any]], unit: str) -> Metric:
    family = CounterMetricFamily(
        f"edgefn_output_{unit}_dropped",
        f"Printed {unit} that were dropped, as a function was over its budget.",
        labels=("function",),
    )
    for status in statuses:
        family.add_metric((status["name"],), status.get("output", {}).get(f"dropped_{unit}", 0))
    return family
