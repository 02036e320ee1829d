"""The zygote, kept alive: started with the box, started again when it dies, asked to fork."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence

from edgefn.errors import Unavailable
from edgefn_runtime.scheduling.backoff import pause_s
from edgefn_runtime.supervisor.child import Child, describe_exit
from edgefn_runtime.supervisor.sockets import ControlEnd, control_pair
from edgefn_runtime.wire import messages

_CHILD_DESCRIPTOR = 3
_READY_DEADLINE_S = 30.0
_log = logging.getLogger("edgefn.zygote")

ENVIRONMENT = {
    # A thread in the zygote would not survive the fork: no pools, no telemetry.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}
_KEPT_FROM_BOX = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "HOME",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)


class Zygote:
    """`order` is answered as soon as a zygote is ready; meanwhile it waits."""

    def __init__(self) -> None:
        self._ready = asyncio.Event()
        self._failures = 0
        self._closing = False
        self._control: ControlEnd | None = None
        self._restarting: asyncio.Task[None] | None = None
        self.child: Child | None = None

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    def start(self) -> None:
        """A zygote is on its way; `ready` turns true when it has reported."""
        ours, theirs = control_pair()
        with theirs:
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-m", "edgefn_runtime.process.zygote", str(_CHILD_DESCRIPTOR)],
                {key: os.environ[key] for key in _KEPT_FROM_BOX if key in os.environ} | ENVIRONMENT,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), _CHILD_DESCRIPTOR),
                ],
                setsid=True,
            )
        self.child = Child(pid)
        self._control = ControlEnd(ours, self._reported, self._lost)

    async def order(self, order: messages.Order, descriptors: Sequence[int]) -> None:
        """Sends `order` to a ready zygote. Raises Unavailable when there is none in time."""
        try:
            await asyncio.wait_for(self._ready.wait(), _READY_DEADLINE_S)
        except TimeoutError:
            raise Unavailable(
                "the box cannot start processes: its zygote does not come up; see the box's log"
            ) from None
        assert self._control is not None
        try:
            self._control.order(order, descriptors)
        except OSError as error:
            raise Unavailable(f"the box's zygote does not take orders ({error}); try again") from error

    async def stop(self) -> None:
        """The zygote has ended and none follows it."""
        self._closing = True
        if self._restarting is not None:
            self._restarting.cancel()
        if self._control is not None:
            self._control.close()
        if self.child is not None:
            await self.child.end()

    def _reported(self, report: messages.Report, _pid: int) -> None:
        if isinstance(report, messages.Ready):
            if report.threads != 1:
                _log.warning("the zygote has %d threads: what they hold is lost in its forks", report.threads)
            self._failures = 0
            self._ready.set()

    def _lost(self) -> None:
        self._ready.clear()
        if not self._closing:
            self._restarting = asyncio.create_task(self._restart())

    async def _restart(self) -> None:
        assert self.child is not None
        status = await self.child.end()
        _log.error("the zygote %s; starting another", describe_exit(status))
        await asyncio.sleep(pause_s(self._failures))
        self._failures += 1
        self.start()
