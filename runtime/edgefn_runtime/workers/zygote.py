"""The zygote, kept alive: started with the box, started again when it dies, asked to fork."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence

from edgefn.errors import Unavailable
from edgefn_runtime.scheduling.backoff import pause_s
from edgefn_runtime.wire import messages
from edgefn_runtime.workers.child import Child, describe_exit, reap_unknown
from edgefn_runtime.workers.isolation import NOTHING, Requirement
from edgefn_runtime.workers.launch import Launched, launch
from edgefn_runtime.workers.processnamespaces import ProcessNamespaces
from edgefn_runtime.workers.sockets import ControlEnd

_READY_DEADLINE_S = 30.0
_FULL_PAUSE_S = 0.002
_SWEEP_DELAY_S = 1.0
_NO_ZYGOTE = "the box cannot start processes because its zygote does not start; see the box's log"
_LESS = (
    "the box starts no processes: this machine enforces less isolation than when the box started ({}); restore it, "
    "or restart the box to accept less"
)
_log = logging.getLogger("edgefn.zygote")


class Zygote:
    """Keeps a zygote running. `order` waits until one is ready.

    `on_known` is called when `isolation` is known, or known anew. A later zygote that enforces less than one before it,
    but for what the `requirement` allows to be missing, starts nothing: it is ended, and another tried after a pause.
    """

    def __init__(self, on_known: Callable[[], None] = lambda: None, requirement: Requirement = NOTHING) -> None:
        self._on_known = on_known
        self._requirement = requirement
        self._lost_layers: dict[str, str] = {}
        self._ready = asyncio.Event()
        self._failures = 0
        self._closing = False
        self._control: ControlEnd | None = None
        self._restarting: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._to_sweep = False
        self.child: Child | None = None
        self._spares: dict[int, Child] = {}
        self._claimed: deque[int] = deque(maxlen=64)  # a spare's word to us may come after its word to its owner
        self.isolation: dict[str, bool | str] = {}
        self.namespaces = ProcessNamespaces()

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    def start(self, launched: Launched | None = None) -> None:
        """Start a zygote, or take the one already `launched`; `ready` turns true when it has reported."""
        pid, end = launched or launch()
        self.child = Child(pid)
        self._control = ControlEnd(end, self._reported, self._lost)
        self.child.when_ended(self._control.ended)  # the first processes of its namespaces hold its socket, too

    async def order(self, order: messages.Order, descriptors: Sequence[int]) -> None:
        """Send `order` to a ready zygote, or to the next one when this one turns out to be dead.

        Raises Unavailable when there is none in time.
        """
        try:
            async with asyncio.timeout(_READY_DEADLINE_S):
                while not await self._took(order, descriptors):
                    pass
        except TimeoutError:
            raise Unavailable(self._why_none()) from None

    def start_is_over(self) -> None:
        """Ask for the next spare child now, because no start is under way that its making would slow down."""
        if self.ready and self._control is not None:
            with contextlib.suppress(OSError):  # it is dead, or busy: it makes one a little later by itself
                self._control.order(messages.MakeSpare(), [])

    async def known(self) -> None:
        """Wait until a zygote has found out what this machine enforces.

        Raises Unavailable when none does in time.
        """
        try:
            async with asyncio.timeout(_READY_DEADLINE_S):
                while not self.isolation:
                    await self._ready.wait()
        except TimeoutError:
            raise Unavailable(_NO_ZYGOTE) from None

    async def _took(self, order: messages.Order, descriptors: Sequence[int]) -> bool:
        await self._ready.wait()
        assert self._control is not None
        try:
            self._control.order(order, descriptors)
        except BlockingIOError:
            await asyncio.sleep(_FULL_PAUSE_S)  # it has as many orders before it as the socket holds
            return False
        except OSError:
            self._ready.clear()  # it is dead, and the loop has not heard of it yet
            return False
        self._sweep_soon()
        return True

    async def stop(self) -> None:
        """End the zygote, and start no other."""
        self._closing = True
        if self._restarting is not None:
            self._restarting.cancel()
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._control is not None:
            self._control.close()
        if self.child is not None:
            await self.child.end()
        for spare in list(self._spares.values()):
            await spare.end()
        await self.namespaces.close()

    def claim(self, pid: int) -> Child:
        """Return the child with that pid, which has reported its start.

        It is a spare child, known already, or another.
        """
        spare = self._spares.pop(pid, None)
        if spare is not None:
            return spare
        self._claimed.append(pid)
        child = Child(pid)
        self.namespaces.joined(child)
        return child

    def _reported(self, report: messages.Report, pid: int) -> None:
        if isinstance(report, messages.Hello) and pid and pid not in self._claimed:  # a spare child, forked ahead
            self._spares = {one: child for one, child in self._spares.items() if not child.exited}
            with contextlib.suppress(ProcessLookupError):  # it has died with its zygote, and is reaped
                self._spares[pid] = spare = Child(pid)
                self.namespaces.joined(spare)
        if isinstance(report, messages.Init) and pid:
            self.namespaces.opened(pid)
        if isinstance(report, messages.Passing) and pid:
            with contextlib.suppress(ProcessLookupError):
                Child(pid)
        if isinstance(report, messages.Ready):
            if report.threads != 1:
                _log.warning("the zygote has %d threads: its forks inherit only one of them", report.threads)
            self._known(report.isolation)

    def _known(self, found: dict[str, bool | str]) -> None:
        self._lost_layers = self._requirement.lost(self.isolation, found)
        if self._lost_layers:
            _log.error("%s; starting another", self._why_none())
            assert self.child is not None
            self.child.kill()
            return
        self._failures = 0
        is_news = self.isolation != found
        self.isolation = found
        self._ready.set()
        if is_news:
            self._on_known()

    def _why_none(self) -> str:
        if not self._lost_layers:
            return _NO_ZYGOTE
        return _LESS.format("; ".join(f"{name}: {why}" for name, why in self._lost_layers.items()))

    def _lost(self) -> None:
        self._ready.clear()
        self.namespaces.look()
        if not self._closing:
            self._restarting = asyncio.create_task(self._restart())
            self._sweep_soon()

    def _sweep_soon(self) -> None:
        """Schedule a sweep: the child that an order makes, and the spare one after it, may die unreported."""
        self._to_sweep = True
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        while self._to_sweep:
            await asyncio.sleep(_SWEEP_DELAY_S)  # off the way of the request that the order is for
            self._to_sweep = False
            await reap_unknown(self.namespaces.look_at_old)

    async def _restart(self) -> None:
        assert self.child is not None
        status = await self.child.end()
        _log.error("the zygote %s; starting another", describe_exit(status))
        while True:
            await asyncio.sleep(pause_s(self._failures))
            self._failures += 1
            try:
                self.start()
            except OSError as error:  # no descriptor, process or memory left: there may be again
                _log.error("could not start a zygote (%s); trying again", error)
            else:
                return
