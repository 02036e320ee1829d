"""A finisher's process, from the box's side: started by the zygote, watched as it writes, bounded, never left behind.

It runs an engine on files of a bundle, and the bundle may take control of it. So the box accepts one proof from it, and
reads that as bytes.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from pathlib import Path

import msgspec

from edgefn.errors import DeploymentRefused, DiskFull, EdgefnError, InstanceLost
from edgefn.system import signals
from edgefn.text.quantities import format_bytes, format_duration
from edgefn_runtime.cgroups.controlgroups import FunctionGroup
from edgefn_runtime.scheduling.ledger import PROCESS_BYTES
from edgefn_runtime.store import harvest
from edgefn_runtime.store.uncancellable import to_the_end
from edgefn_runtime.wire import messages
from edgefn_runtime.wire.messages import FinishRequest
from edgefn_runtime.workers.child import Child, describe_exit
from edgefn_runtime.workers.orphans import Orphans
from edgefn_runtime.workers.output import LogPipe, Output, Turn
from edgefn_runtime.workers.sockets import ControlEnd, control_pair
from edgefn_runtime.workers.zygote import Zygote

LOOK_S = 0.1
"""Seconds between two checks of the size that it has written."""

LAST_WORDS_S = 0.02
"""Seconds to read its last output after its end."""

PROCESSES = 256
"""Processes and threads: compilers start one for each core, and some."""

USER = "(finisher)"
"""The name of the finishers' user in the box's table of users; it cannot be a function's name."""

_LINES, _LINE_CHARACTERS = 40, 400
_PAUSE_S, _ROUNDS = 0.02, 100
_REPORTS = 2
"""The number of a finisher's reports: it was forked, and it is done or has failed."""


class Finisher:
    """One process, made for `request`. `group` is its own; it is gone afterwards."""

    def __init__(self, zygote: Zygote, group: FunctionGroup, request: FinishRequest) -> None:
        request = msgspec.structs.replace(request, processes=PROCESSES, box_pid=os.getpid())
        self._zygote, self._group, self._request = zygote, group, request
        self._said: asyncio.Future[messages.Finished] = asyncio.get_running_loop().create_future()
        self._tail: deque[str] = deque(maxlen=_LINES)
        self._control: ControlEnd | None = None
        self._child: Child | None = None
        self._orphans: Orphans | None = None
        self._dying: asyncio.Task[None] | None = None

    async def run(self, limit_s: float) -> bytes:
        """Run the finisher, and return the proof that it sends.

        Raises DeploymentRefused, DiskFull, Unavailable, or InstanceLost (no zygote).
        """
        self._group.limit_memory(self._request.memory_bytes + PROCESS_BYTES)
        try:
            async with asyncio.timeout(limit_s):
                await self._start()
                found = await self._watched()
        except TimeoutError:
            raise DeploymentRefused(
                f"could not finish {self._what} within {format_duration(limit_s)}: the engine hangs, or is too slow "
                "here"
            ) from None
        finally:
            await to_the_end(self._end())
        if found.full:
            raise DiskFull(found.full)
        return found.proof

    @property
    def _what(self) -> str:
        return self._request.artifact.removeprefix("artifacts/")

    async def _start(self) -> None:
        ours, theirs = control_pair()
        pipe = LogPipe(Output(self._tells, self._tells, Turn()))
        self._control = ControlEnd(ours, self._reported, self._lost, _REPORTS)
        order = messages.SpawnFinisher(self._request)
        try:
            with self._group.cgroup_fds() as cgroup_fds:
                await self._zygote.order(order, [theirs.fileno(), pipe.child_end, *cgroup_fds])
        finally:
            theirs.close()
            pipe.handed_over()

    async def _watched(self) -> messages.Finished:
        """Wait for the finisher's final report, and return it.

        Raises DeploymentRefused when its folder exceeds its bound meanwhile.
        """
        bound = harvest.FolderBound(self._request.folder_bytes, self._request.folder_files)
        while True:
            await asyncio.wait({self._said}, timeout=LOOK_S)
            if self._said.done():
                return self._said.result()
            if why := await asyncio.to_thread(harvest.over, Path(self._request.folder), bound):
                raise DeploymentRefused(f"could not finish {self._what}: {why}, too much for an artifact of its size")

    def _tells(self, line: str) -> None:
        self._tail.append(line[:_LINE_CHARACTERS])

    def _reported(self, report: messages.Report, pid: int) -> None:
        match report:
            case messages.Hello():
                if pid and self._child is None:
                    self._child = self._zygote.claim(pid)
                    first = self._zygote.namespaces.first_of(pid)
                    self._orphans = Orphans(pid, lambda: False, lambda: True, first)
            case messages.Finished() if not self._said.done():
                self._said.set_result(report)
            case messages.Failed() if not self._said.done():
                self._said.set_exception(DeploymentRefused(f"could not finish {self._what}: {report.reason[:500]}"))
            case _:
                pass

    def _lost(self) -> None:
        if not self._said.done():
            self._dying = asyncio.get_running_loop().create_task(self._died())

    async def _died(self) -> None:
        error: EdgefnError = InstanceLost(f"the zygote ended before it forked the finisher of {self._what}")
        if self._child is not None:
            status = await self._child.end()
            await asyncio.sleep(LAST_WORDS_S)
            error = self._describe(status)
        if not self._said.done():
            self._said.set_exception(error)

    def _describe(self, status: int) -> DeploymentRefused:
        trace = "\n".join(self._tail)
        if status == -signal.SIGKILL and self._group.ran_out():
            why = f"it needs more memory than the limit of {format_bytes(self._request.memory_bytes)}"
            return DeploymentRefused(f"could not finish {self._what}: {why}", trace=trace)
        if status < 0:
            return DeploymentRefused(
                f"the finisher was killed by {signals.name_of(-status)} at {self._what}: the engine crashed, "
                "or the box ran out of memory",
                trace=trace,
            )
        reason = self._tail[-1] if self._tail else describe_exit(status)
        return DeploymentRefused(f"cannot finish artifacts on this box: {reason}", trace=trace)

    async def _end(self) -> None:
        """Kill the process and whatever it started, and wait until they are gone."""
        if self._control is not None:
            self._control.close()
        if self._child is not None:
            self._child.kill()
            await self._child.end()
        if self._dying is not None:
            await self._dying
        if self._said.done() and not self._said.cancelled():
            self._said.exception()  # looked at: asyncio need not warn of it
        self._said.cancel()
        for _ in range(_ROUNDS):
            if self._group.close():
                break
            await asyncio.sleep(_PAUSE_S)
        if self._orphans is not None:
            await self._orphans.clear()
