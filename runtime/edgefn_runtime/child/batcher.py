"""Batchers, which gather concurrent calls of a model and run them as one, in the threads of the callers.

A batcher has no thread of its own: one of the waiting callers leads. The leader gathers, runs for all, and passes the
lead to the oldest caller that still waits. Before the first call nothing is held and nothing runs, so a batcher
survives a fork.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgefn.batching import apart, kind_of, rows_of, together
from edgefn.spec import Batching
from edgefn_runtime.child.batching import Gathered, TrialClock, Waiting, batch_of, wait_s
from edgefn_runtime.wire.messages import Batched

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgefn.session import Arrays, Session

    Outputs = dict[str, NDArray[np.generic]]


class InFlightCalls:
    """The calls that the instance works on, and the batchers that may run them together."""

    def __init__(self) -> None:
        self.active = 0
        self._lock = threading.Lock()
        self._batchers: list[Batcher] = []

    def gather(self, model: str, session: Session, batching: Batching) -> Session:
        """Make a session that runs concurrent calls of `session` as one."""
        batcher = Batcher(model, session, batching, self)
        self._batchers.append(batcher)
        return batcher

    def came(self) -> None:
        """Count a call that is about to be handled."""
        with self._lock:
            self.active += 1

    def went(self) -> None:
        """Count a call as handled, and let the batchers stop waiting for it to reach the model."""
        with self._lock:
            self.active -= 1
        for batcher in self._batchers:
            batcher.look()

    def news(self) -> list[Batched]:
        """Return the trial results that came since the last time."""
        return [found for batcher in self._batchers if (found := batcher.news()) is not None]


class _Call:
    """A waiting caller. Its lock `awaited` is released when its outputs are there, or when it must lead."""

    __slots__ = ("awaited", "came", "came_in", "done", "error", "inputs", "outputs", "waiting")

    def __init__(self, inputs: Arrays, now: float, came_in: int) -> None:
        self.inputs = inputs
        self.came_in = came_in
        self.waiting = Waiting(kind_of(inputs), rows_of(inputs))
        self.came = now
        self.awaited = threading.Lock()
        self.awaited.acquire()
        self.done = False
        self.outputs: Outputs = {}
        self.error: BaseException | None = None

    def wake(self) -> None:
        """Let the caller look again.

        Call it only under the batcher's lock: two threads that wake it at once would release the lock twice.
        """
        if self.awaited.locked():
            self.awaited.release()


class Batcher:
    """A `Session` that behaves as the one it wraps, and runs concurrent calls as one where that is faster."""

    def __init__(self, model: str, session: Session, batching: Batching, crowd: InFlightCalls) -> None:
        self._model = model
        self._session = session
        self._batching = batching
        self._crowd = crowd
        self._lock = threading.Lock()
        self._waiting: list[_Call] = []
        self._leader: _Call | None = None
        self._gathering = False
        self._since = self._run_s = 0.0
        self._company = 0
        self._turns = TrialClock()
        self._news: Batched | None = None

    def run(self, inputs: Arrays) -> Outputs:
        """Return the outputs for `inputs`, from a run that may hold other calls too.

        Raises whatever a run of these inputs raises.
        """
        now = time.perf_counter()
        with self._lock:
            turn = self._turns.came(now)
            if self._turns.batched:
                call = _Call(inputs, now, turn)
                leads = self._join(call)
            else:
                call = None
        if call is None:
            return self._single(inputs, turn)
        if not leads:
            call.awaited.acquire()
        if not call.done:
            self._lead(call)
        if call.error is not None:
            raise call.error
        return call.outputs

    def look(self) -> None:
        """Check again whether the gathered calls are due, because a call that could have joined will not."""
        if self._gathering:
            with self._lock:
                self._wake_leader()

    def news(self) -> Batched | None:
        """Return the result of the last trial, once."""
        found, self._news = self._news, None
        return found

    def _single(self, inputs: Arrays, turn: int) -> Outputs:
        try:
            return self._session.run(inputs)
        finally:
            with self._lock:
                self._went([(turn, rows_of(inputs))])

    # ── gathering ────────────────────────────────────────────────────────────────────────────────────────────

    def _join(self, call: _Call) -> bool:
        """Add the call to those that wait; return True when it must lead."""
        self._waiting.append(call)
        if self._leader is None:
            self._leader = call
            return True
        self._wake_leader()
        return False

    def _wake_leader(self) -> None:
        if self._gathering and self._leader is not None and not self._wait_s():
            self._leader.wake()

    def _wait_s(self) -> float:
        oldest = self._waiting[0]
        rows = sum(call.waiting.rows for call in self._waiting if call.waiting.kind == oldest.waiting.kind)
        now = time.perf_counter()
        gathered = Gathered(
            rows=rows,
            waited_s=now - oldest.came,
            since_s=now - self._since,
            outside=self._crowd.active - self._turns.inside,
            missing=self._company - self._turns.inside,
            run_s=self._run_s,
        )
        return wait_s(gathered, self._batching)

    def _lead(self, own: _Call) -> None:
        """Run batches, the oldest calls first, until `own` was in one; then let the next waiting call lead."""
        while not own.done:
            self._run(self._gather(own), own)
        with self._lock:
            self._leader = self._waiting[0] if self._waiting else None
            if self._leader is not None:
                self._leader.wake()

    def _gather(self, own: _Call) -> list[_Call]:
        self._since = time.perf_counter()
        while True:
            with self._lock:
                left_s = self._wait_s()
                self._gathering = left_s > 0
                if not self._gathering:
                    return self._take()
            own.awaited.acquire(timeout=left_s)

    def _take(self) -> list[_Call]:
        self._company = max(self._crowd.active, self._company - 1)
        places = batch_of([call.waiting for call in self._waiting], self._batching.rows)
        batch = [self._waiting[place] for place in places]
        for place in reversed(places):
            del self._waiting[place]
        return batch

    # ── running ──────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self, batch: Sequence[_Call], own: _Call) -> None:
        started = time.perf_counter()
        try:
            if len(batch) == 1 or not self._run_together(batch):
                for call in batch:
                    self._run_alone(call)
        finally:
            with self._lock:
                self._run_s = time.perf_counter() - started
                self._went([(call.came_in, call.waiting.rows) for call in batch])
                for call in batch:
                    call.done = True
                    if call is not own:
                        call.wake()

    def _run_together(self, batch: Sequence[_Call]) -> bool:
        """Run the calls as one batch; return False when that fails or returns other rows than it was given.

        After False each call runs alone, and only the bad one fails.
        """
        try:
            outputs = self._session.run(together([call.inputs for call in batch]))
            parts = apart(outputs, [call.waiting.rows for call in batch])
        except BaseException:  # whatever it is: nobody may be left waiting, or with no outputs
            return False
        for call, part in zip(batch, parts, strict=True):
            call.outputs = part
        return True

    def _run_alone(self, call: _Call) -> None:
        try:
            call.outputs = self._session.run(call.inputs)
        except BaseException as error:  # the leader's thread is not the caller's: whatever it is, the caller gets it
            call.error = error

    def _went(self, run: Sequence[tuple[int, int]]) -> None:
        verdict = self._turns.went(run, time.perf_counter())
        if verdict is not None:
            self._news = Batched(self._model, verdict.on, round(verdict.rows, 3), round(verdict.gain, 3))
