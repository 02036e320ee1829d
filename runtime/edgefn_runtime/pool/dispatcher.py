"""The instances of a pool: which one gets the next call, and which calls a stuck one gives back.

Long calls go to the least loaded instance. Short ones are handed over early, to one instance until it is full: see
`scheduling.handover` for why that is faster, and for what bounds the harm of a slow call among them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from edgefn_runtime.calls.call import Call, Holder
from edgefn_runtime.scheduling import handover
from edgefn_runtime.scheduling.lifecycle import InstanceState
from edgefn_runtime.wire.call_board import SETTLE_S
from edgefn_runtime.workers.instance import Instance


class Dispatcher:
    """`give_back` gets the calls that no handler has seen, in their order, to be served elsewhere."""

    def __init__(self, concurrency: int, give_back: Callable[[list[Call]], None]) -> None:
        self.members: list[Instance] = []
        self.service = handover.ServiceTime()
        self.wrong: tuple[str, ...] | None = None
        """The artifacts that answered wrongly, during the search for others: they get no calls."""
        self._concurrency = concurrency
        self._give_back = give_back
        self._loop = asyncio.get_running_loop()
        self._watch: asyncio.TimerHandle | None = None

    @property
    def room(self) -> int:
        """Return how many calls one instance may hold, those it works on and those it has early."""
        return self._concurrency + (handover.prefetch(self.service.mean_s) if self._concurrency == 1 else 0)

    @property
    def share(self) -> int:
        """Return how many calls the pool counts on one instance for.

        It is as many as an instance has room for, and one while any of them is stuck.
        """
        return 1 if any(instance.stuck for instance in self.members) else self.room

    def pick(self) -> Instance | None:
        """Return the instance for the next call, or None when all are full."""
        room = self.room
        best: Instance | None = None
        packing = room > self._concurrency
        for instance in self.members:
            held = len(instance.calls)
            if instance.state is not InstanceState.READY or held >= room or instance.stuck:
                continue
            if self.wrong is not None and instance.serves == self.wrong:
                continue
            if best is None or (held > len(best.calls) if packing else held < len(best.calls)):
                best = instance
        return best

    def hand(self, instance: Instance, call: Call) -> None:
        """Give the call to `instance`."""
        instance.send(call)
        if self._watch is None and len(instance.calls) > self._concurrency:
            self._watch = self._loop.call_later(handover.STALL_S, self._look)

    def reclaim(self, instance: Holder) -> None:
        """Take back the calls that `instance` has not begun, so that they are served elsewhere."""
        if not instance.stuck:
            instance.revoke()
            self._loop.call_later(2 * SETTLE_S, self._collect, instance)

    def hold(self, artifacts: tuple[str, ...]) -> None:
        """Give no call to instances with `artifacts`, and take back what they have not begun."""
        self.wrong = artifacts
        for instance in self.members:
            if instance.serves == artifacts and len(instance.calls) > self._concurrency:
                self.reclaim(instance)

    def close(self) -> None:
        """Stop watching the instances."""
        if self._watch is not None:
            self._watch.cancel()

    def _look(self) -> None:
        self._watch = None
        now = time.monotonic()
        early = [instance for instance in self.members if len(instance.calls) > self._concurrency]
        for instance in early:
            if now - instance.progress_at >= handover.STALL_S:
                self.reclaim(instance)
        if early:
            self._watch = self._loop.call_later(handover.STALL_S, self._look)

    def _collect(self, instance: Holder) -> None:
        self._give_back(instance.take_back())
