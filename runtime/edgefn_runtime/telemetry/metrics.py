"""The box's figures for Prometheus: counted as requests end, read from the supervisor at the scrape.

    edgefn_invocations_total{function,revision,outcome}     each request, by how it ended
    edgefn_rejections_total{function,revision,reason}       those refused: queue is full, deadline too near, unavailable
    edgefn_invoke_duration_seconds{function,revision}       admission to answer, of requests that ran
    edgefn_coldstarts_total{function,revision}              requests that waited for a start
    edgefn_cold_start_seconds{function,phase}               where the time of starts went
    edgefn_queue_depth{function}                            requests that wait now
    edgefn_instances{function,state}                        instances now
    edgefn_function_state{function,state}                   1 for the state the function is in
    edgefn_private_memory_bytes{function,process}           memory that no other process shares, of the last ten seconds
    edgefn_ledger_bytes{function,process}                   what the memory ledger counts each of them with
    edgefn_output_lines_dropped_total{function}             lines that a function printed over its budget
    edgefn_output_bytes_dropped_total{function}             and their bytes
    edgefn_refused_tokens_total{reason}                     requests not let in: token missing, wrong, other scope, rate
    edgefn_log_lines_dropped_total                          log lines lost because the disk was full
    edgefn_box_info{version}                                1
    process_*                                               the box process itself

Names follow OpenTelemetry's FaaS conventions in Prometheus spelling; durations are seconds, memory is bytes.
Reading never wakes a function: a scrape looks at statuses and starts nothing.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from edgefn.api.functions import FunctionProcesses
from edgefn_runtime.telemetry import exposition
from edgefn_runtime.telemetry.invocations import InvocationMetrics, Invocations
from edgefn_runtime.telemetry.scrape import Statuses
from edgefn_runtime.telemetry.series import Series

REST = 40.0
"""The pause after a scrape, as a multiple of its CPU time: a client that scrapes without end takes a
fortieth of what the event loop needs."""


class Metrics:
    """All series of one box, in a registry of its own.

    `statuses` gives the processes of every function; it and `log_lines_dropped` are called at a scrape.
    """

    def __init__(
        self,
        statuses: Callable[[], Iterable[FunctionProcesses]],
        *,
        version: str = "",
        log_lines_dropped: Callable[[], int] = int,
    ) -> None:
        # `_created` series would double a scrape, and nothing of ours reads them.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._series = Series(self._registry)
        self._invocations = Invocations(self._series)
        self._phases: set[tuple[str, str]] = set()
        self._statuses = Statuses(statuses, version, log_lines_dropped)
        self._registry.register(self._statuses)
        ProcessCollector(registry=self._registry)
        self._turn = asyncio.Lock()
        self._scraping = 0
        self._rested = -math.inf
        self._shared: dict[str, tuple[float, bytes]] = {}
        """By content type: when the last scrape began, and its body, as long as somebody waits for one."""

    def invocation(self, function: str, revision: str = "") -> InvocationMetrics:
        """Return the handle that counts requests for `revision` (its digest).

        It is made once; the pool that serves the revision keeps it.
        """
        return self._invocations.handle(function, revision)

    def refused_token(self, reason: str) -> None:
        """Count a request that was not let in: `missing`, `wrong`, `scope` or `rate`."""
        self._series.refused_tokens.labels(reason).inc()

    def cold_start(self, function: str, phase: str, seconds: float) -> None:
        """Add one phase of one start, e.g. "fork", "import", "session", "first_run"."""
        self._phases.add((function, phase))
        self._series.phases.labels(function, phase).observe(seconds)

    def remove(self, function: str) -> None:
        """Remove the function's series; later counts of its handles are ignored."""
        self._invocations.remove(function)
        for labels in [labels for labels in self._phases if labels[0] == function]:
            self._phases.discard(labels)
            self._series.phases.remove(*labels)

    def render(self, accept: str = "") -> tuple[str, bytes]:
        """Return (content type, body): Prometheus text, or OpenMetrics where `accept` asks for it. Blocks."""
        self._statuses.look()
        return choose_encoder(accept)[1], exposition.encode(self._registry, accept)[0]

    async def scrape(self, accept: str = "") -> tuple[str, bytes]:
        """Return the same as `render`, without blocking the event loop.

        With a hundred functions, encoding takes 70 ms. One scrape at a time, in one thread, and a rest after each.
        Callers that came before it began share its result.
        """
        asked, content_type = time.monotonic(), choose_encoder(accept)[1]
        self._scraping += 1
        try:
            async with self._turn:
                began, body = self._shared.get(content_type, (-math.inf, b""))
                if began < asked:
                    await asyncio.sleep(max(0.0, self._rested - time.monotonic()))
                    began = time.monotonic()
                    self._statuses.look()
                    body, spent_s = await asyncio.to_thread(exposition.encode, self._registry, accept)
                    self._shared[content_type] = began, body
                    self._rested = time.monotonic() + REST * spent_s
        finally:
            self._scraping -= 1
            if not self._scraping:
                self._shared.clear()
        return content_type, body
