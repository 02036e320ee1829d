"""A pool's calls as time passes: watched once they are late, failed when their time is up.

One timer a call. An instance that hangs in a call, or begins nothing at all, is replaced.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from edgefn.errors import HandlerTimeout
from edgefn.spec import FunctionSpec
from edgefn_runtime.calls.call import LATE_S, Call, Holder
from edgefn_runtime.pool.admission_control import AdmissionControl
from edgefn_runtime.pool.dispatcher import Dispatcher
from edgefn_runtime.pool.queue import Queue

DEAF_S = 0.5
"""An instance that begins nothing for so long, and lets a call's time run out, is replaced."""


class Timeouts:
    """Times the calls. `settled` hears that a call is over without an answer, `scale` that an instance leaves."""

    def __init__(
        self,
        spec: FunctionSpec,
        queue: Queue,
        dispatcher: Dispatcher,
        admission: AdmissionControl,
        settled: Callable[[], None],
        scale: Callable[[], None],
    ) -> None:
        self._spec = spec
        self._queue = queue
        self._dispatcher = dispatcher
        self._admission = admission
        self._settled = settled
        self._scale = scale
        self._loop = asyncio.get_running_loop()

    def begin(self, call: Call, bound_s: float) -> None:
        """Start the timer of a call that was just admitted and has `bound_s` seconds."""
        call.timer = self._loop.call_later(LATE_S if bound_s > LATE_S else bound_s, self._late, call)

    def _late(self, call: Call) -> None:
        """Watch the client of a call that takes longer than most, and wait for the call's timeout."""
        left = call.deadline - time.monotonic()
        if left <= 0:
            self._timed_out(call)
            return
        call.timer = self._loop.call_later(left, self._timed_out, call)
        if call.instance is not None and not call.instance.has_begun(call) and call.instance.stopped:
            self._evade(call.instance)
        if call.on_late is not None:
            call.on_late()

    def _evade(self, stopped: Holder) -> None:
        """Serve elsewhere what a stopped instance has not begun; kill it where that loses no work."""
        if stopped.deaf():
            stopped.kill()
        else:
            self._dispatcher.reclaim(stopped)

    def _timed_out(self, call: Call) -> None:
        if call.instance is None or not call.instance.has_begun(call):
            self._queue.remove(call)
            call.fail(self._admission.not_reached(call))
            if call.instance is not None and call.instance.deaf(DEAF_S):
                call.instance.kill()
            self._settled()
            return
        own = self._admission.own(call)
        then = "allow more time, it is left to finish" if own else "its instance is replaced"
        call.fail(HandlerTimeout(f"{self._spec.name} did not answer {self._admission.bound(call)}; {then}"))
        if own:  # the caller is impatient, which is no sign that the handler hangs
            left = call.admitted + self._spec.timeout_s - time.monotonic()
            call.timer = self._loop.call_later(max(0.0, left), self._hangs, call)
        else:
            self._hangs(call)

    def _hangs(self, call: Call) -> None:
        if call.instance is not None:
            call.instance.retire()
        self._scale()
