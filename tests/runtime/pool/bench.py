"""A supervisor with real processes over handlers written in the test."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import os
import textwrap
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from edgefn.bundle.config import BundleConfig
from edgefn.spec import FunctionSpec
from edgefn.system.cgroup_mounts import Place
from edgefn_runtime.calls.call import Call, Outcome
from edgefn_runtime.memory.budget import MemoryBudget
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.supervisor import Supervisor
from edgefn_runtime.workers.child import children_of_this
from tests.e2e.deadline import PATIENCE

DEADLINE_S = 20.0 * PATIENCE


class Lines:
    """A function log that keeps its lines in memory."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, function: str, line: str, *, stream: str = "", pid: int = 0, id: str = "") -> None:
        self.lines.append(f"{function} {stream} {line}")

    def __contains__(self, text: str) -> bool:
        return any(text in line for line in self.lines)


class Figures:
    """Meters that keep what they are told."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self.outcomes: list[str] = []
        self.reasons: list[str] = []

    def invocation(self, function: str, revision: str = "") -> Figures:
        return self

    def observe(self, outcome: str, seconds: float, cold: bool) -> None:
        self.outcomes.append(outcome)

    def rejected(self, reason: str) -> None:
        self.reasons.append(reason)

    def cold_start(self, function: str, phase: str, seconds: float) -> None:
        self.phases[phase] = seconds


class Bench:
    """A running supervisor, its logs and figures, and a way to put functions on it."""

    def __init__(self, folder: Path, places: Sequence[Place] | None = None, budget: MemoryBudget | None = None) -> None:
        self.folder = folder
        self.logs, self.figures = Lines(), Figures()
        self.supervisor = Supervisor(self.logs, self.figures, self._finished, drain_s=5.0, places=places, budget=budget)

    async def _finished(self, revision: Revision) -> None:
        """These functions have no models: nothing is to be finished."""

    def revision(self, source: str, *, number: int = 1, name: str = "f", **options: object) -> Revision:
        """A revision of the function `f`, or `name`, with that handler source, whose handler is `f`."""
        folder = self.folder / f"revision-{number}"
        (folder / "code").mkdir(parents=True, exist_ok=True)
        module = f"from edgefn import edge_function\n{textwrap.dedent(source)}"
        (folder / "code" / f"f{number}.py").write_text(module)
        spec = msgspec.structs.replace(FunctionSpec(name=name, entry=f"f{number}:f"), **options)
        config = BundleConfig(function=spec)
        return Revision(f"sha256:{number:064}", number, config, folder, folder / "finished", "2026-01-01T00:00:00Z")

    async def deploy(self, source: str, *, number: int = 1, name: str = "f", **options: object) -> Revision:
        revision = self.revision(source, number=number, name=name, **options)
        await self.supervisor.prepare(revision)
        await self.supervisor.switch(name, revision)
        return revision

    def submit(self, within_s: float = math.inf, name: str = "f", /, **arguments: object) -> Call:
        """A call on its way, whose caller waits for `within_s` seconds."""
        body = msgspec.json.encode(arguments)
        call = Call("application/json", "", "application/json", body, within_s)
        self.supervisor.pool(name).submit(call)
        return call

    async def ask(self, name: str = "f", /, **arguments: object) -> Any:
        """The JSON answer to a call; raises what the call ended with."""
        return self.answer(await asyncio.wait_for(self.submit(math.inf, name, **arguments).future, DEADLINE_S))

    @staticmethod
    def answer(outcome: Outcome) -> Any:
        found = msgspec.json.decode(outcome.body) if outcome.body else outcome.reply
        return host_pid(found) if isinstance(found, int) and found > SMALLEST_WHO else found

    def pids(self) -> list[int]:
        return [instance.pid for instance in self.supervisor.pool("f").instances]

    async def template(self, name: str = "f") -> int:
        """The pid of the template that is parked; one is made behind an instance that started without."""
        await self.until(lambda: self.supervisor.status(name)["template"] is not None, "a template is parked")
        return int(self.supervisor.status(name)["template"]["pid"])

    def zygote(self) -> int:
        """The zygote's pid."""
        child = self.supervisor._zygote.child
        assert child is not None
        return child.pid

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Waits for a condition; fails with `what` when it does not come."""
        deadline = time.monotonic() + DEADLINE_S
        while not true():
            assert time.monotonic() < deadline, f"not in {DEADLINE_S} s: {what}"
            await asyncio.sleep(0.001)


def alive(pid: int) -> bool:
    """Whether a process of that pid runs (a zombie does not)."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


_PID_BITS = 22
SMALLEST_WHO = 1 << 40
_PID_MASK = (1 << _PID_BITS) - 1


_found: dict[int, int] = {}
"""By who a process says it is: the pid by which it was known here last."""


def host_pid(who: int) -> int:
    """The pid by which a process is known here that calls itself `who`: its PID namespace << 22 | its pid in there.

    One that has ended meanwhile stays as it is: no other calls itself so.
    """
    known = _found.get(who, 0)
    running = (int(name) for name in os.listdir("/proc") if name.isdigit())
    for pid in itertools.chain((known,), running):
        with contextlib.suppress(OSError, StopIteration):
            if os.stat(f"/proc/{pid}/ns/pid").st_ino == who >> _PID_BITS and pid_inside(pid) == who & _PID_MASK:
                _found[who] = pid
                return pid
    return who


def pid_inside(pid: int) -> int:
    """What the process of that pid takes for its pid, in its own PID namespace."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", errors="replace")
    return int(next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1])


def children() -> set[int]:
    """The living children of this process."""
    return {pid for pid in children_of_this() if alive(pid)}


Test = Callable[[Bench], Awaitable[None]]


class OnBench(Protocol):
    """Runs a test's coroutine on a bench.

    `places` are where it may make control groups, by default where it can; `budget` is what functions may take.
    """

    def __call__(
        self, test: Test, places: Sequence[Place] | None = None, budget: MemoryBudget | None = None
    ) -> None: ...
