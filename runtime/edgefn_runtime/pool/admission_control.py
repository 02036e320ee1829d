"""The admission of calls to a pool: which calls enter, which wait, and how the others are refused.

It acts on what `scheduling.admission` and `scheduling.deadlines` decide, and counts what it refuses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from edgefn.errors import HandlerTimeout, NotInTime, QueueFull, RetryLater
from edgefn.spec import FunctionSpec
from edgefn_runtime.calls.call import Call
from edgefn_runtime.pool.queue import Queue
from edgefn_runtime.scheduling import admission
from edgefn_runtime.scheduling.deadlines import Forecast, FreePlaces, QueueAhead
from edgefn_runtime.scheduling.lifecycle import InstanceState
from edgefn_runtime.workers.instance import Instance
from edgefn_runtime.workers.launcher import InstanceLauncher

_AT_ONCE = QueueAhead()


class Refusals(Protocol):
    """The telemetry, which counts refusals."""

    def rejected(self, reason: str) -> None: ...


class AdmissionControl:
    """The admission of one pool. `forecast` learns from the calls that its instances answer.

    `wanted` returns how many instances the pool has soon, when one more call waits.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        queue: Queue,
        instances: Sequence[Instance],
        wanted: Callable[[], int],
        launcher: InstanceLauncher,
        meter: Refusals,
    ) -> None:
        self._spec = spec
        self._queue = queue
        self._instances = instances
        self._wanted = wanted
        self._launcher = launcher
        self._meter = meter
        self.forecast = Forecast()

    def check_room(self, guess_s: float) -> None:
        """Raise QueueFull where the pool holds as many requests as it may.

        `guess_s` is the time of a call where nothing was learnt.
        """
        waiting, slots = len(self._queue), self._spec.scale[1] * self._spec.concurrency
        inside = waiting + sum(len(instance.calls) for instance in self._instances)
        if admission.admits(inside, slots, self._spec.queue):
            return
        drained_s = self._line(waiting).begin_s(self.forecast.service.median_s or guess_s)
        raise QueueFull(
            f"{self._spec.name} is full with {inside} requests; it runs {slots} at once and queues "
            f"{self._spec.queue}: try again later",
            retry_after_s=admission.retry_after_s(drained_s),
        )

    def check_line(self, call: Call) -> None:
        """Raise NotInTime where a call that must wait cannot be answered in time."""
        if not self.forecast.service.known:
            return
        ready = any(one.state is InstanceState.READY for one in self._instances)
        if ready and self.forecast.spares(len(self._queue), call.deadline - call.admitted):
            return
        self._check(call, self._line(self._queue.ahead(call.deadline)))

    def check_service(self, call: Call) -> None:
        """Raise NotInTime where a call that need not wait cannot be answered in time."""
        self._check(call, _AT_ONCE)

    def _check(self, call: Call, line: QueueAhead) -> None:
        left_s = call.deadline - call.admitted
        if not self.forecast.refuses(line, left_s, call.admitted):
            return
        finish_s = self.forecast.finish_s(line)
        advice = "allow more time, or try again later" if self.own(call) else "try again later"
        raise NotInTime(
            f"{self._spec.name} cannot answer {self.bound(call)}: it would need at least {finish_s:.3g} s; {advice}",
            retry_after_s=admission.retry_after_s(finish_s - left_s),
        )

    def check_turn(self, call: Call) -> None:
        """Raise NotInTime where the call, now the next, cannot be done in time: another can use its place."""
        now, waiting = time.monotonic(), len(self._queue)
        if self.forecast.passes_over(call.deadline - now, now, others=waiting > 0):
            raise NotInTime(
                f"{self._spec.name} could not answer {self.bound(call)}: the request was dropped from the queue "
                "before it started; try again later",
                retry_after_s=admission.retry_after_s(self._line(waiting).begin_s(self.forecast.service.median_s)),
            )

    def _line(self, ahead: int) -> QueueAhead:
        """Return the queue that a call meets with `ahead` others before it."""
        now, typical_s, each = time.monotonic(), self.forecast.service.median_s, self._spec.concurrency
        ready = [one for one in self._instances if one.state is InstanceState.READY]
        begun = [one.started_at for one in self._instances if one.state is InstanceState.STARTING]
        free_s = min((typical_s - _busy_s(one, each, now) for one in ready), default=0.0)
        start_s = self._launcher.start_time.expected_s(parked=self._launcher.has_template)
        return QueueAhead(
            ahead,
            FreePlaces(len(ready) * each, max(0.0, free_s)),
            FreePlaces(max(0, self._wanted() - len(ready)) * each, max(0.0, start_s - (now - min(begun, default=now)))),
        )

    def own(self, call: Call) -> bool:
        """Tell whether the call's own timeout applies to it, and not the function's."""
        return call.timeout_s < self._spec.timeout_s

    def bound(self, call: Call) -> str:
        """Return the timeout that applies to the call, in words."""
        if self.own(call):
            return f"within the {call.timeout_s:g} s of its X-Request-Timeout"
        return f"within its timeout of {self._spec.timeout_s:g} s"

    def not_reached(self, call: Call) -> HandlerTimeout:
        """Return the error for a call whose time was up before a handler saw it."""
        return HandlerTimeout(f"{self._spec.name} did not start the request {self.bound(call)}: it is busy or starting")

    def count(self, refusal: RetryLater) -> None:
        """Count a refused call."""
        self._meter.rejected(refusal.reason)


def _busy_s(instance: Instance, concurrency: int, now: float) -> float:
    """Return for how long the instance has held its oldest call; infinity where it has room."""
    if len(instance.calls) < concurrency:
        return math.inf
    return now - next(iter(instance.calls.values())).sent
