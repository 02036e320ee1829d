"""A process whose parent is the box: its pid and its end, whatever it is for."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Collection
from pathlib import Path
from typing import ClassVar

from edgefn.system import signals

_PR_SET_CHILD_SUBREAPER = 36
_KILL_GRACE_S = 1.0
_STRAY_DELAY_S = 0.05
_UNKNOWN_PATIENCE_S, _UNKNOWN_LOOKS = 1.0, 4


def become_subreaper() -> None:
    """Make this process the parent of its orphaned descendants, so that it sees and reaps every exit.

    See prctl(2). Raises OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


class Child:
    """A running child, held by a pidfd: a signal can never hit another process that got the same pid."""

    living: ClassVar[set[int]] = set()
    """The pids of all."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.killed = False
        self._loop = asyncio.get_running_loop()
        self._descriptor = os.pidfd_open(pid)
        self._exit: asyncio.Future[int] = self._loop.create_future()
        self._loop.add_reader(self._descriptor, self._on_exit)
        self.living.add(pid)

    @property
    def exited(self) -> bool:
        return self._exit.done()

    @property
    def stopped(self) -> bool:
        """Tell whether a signal or a debugger has stopped it (proc(5), state T).

        It does nothing until SIGCONT.
        """
        return _state(self.pid) in ("T", "t")

    async def wait(self) -> int:
        """Wait for its end; return the exit status: a code ≥ 0, or minus the signal's number."""
        return await asyncio.shield(self._exit)

    def first_to_go(self) -> None:
        """Let the kernel kill this child before the box and the templates when the machine runs out of memory."""
        with contextlib.suppress(OSError):  # it has ended, or /proc is read-only
            Path(f"/proc/{self.pid}/oom_score_adj").write_text("500", "ascii")

    def when_ended(self, act: Callable[[], object]) -> None:
        """Call `act` once it has ended and is reaped."""
        self._exit.add_done_callback(lambda _: act())

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; do nothing when it has ended."""
        if not self.exited:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """Kill it at once with SIGKILL; do nothing when it has ended."""
        if not self.exited:
            self.killed = True
            self.signal(signal.SIGKILL)

    async def end(self, grace_s: float = _KILL_GRACE_S) -> int:
        """Wait `grace_s` for it to end by itself (its socket is closed), then kill it; return its status."""
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(self.wait(), grace_s)
        self.kill()
        return await self.wait()

    def _on_exit(self) -> None:
        self._loop.remove_reader(self._descriptor)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # before it is reaped: what it left behind in its group
        result = None
        with contextlib.suppress(ChildProcessError):
            result = os.waitid(os.P_PIDFD, self._descriptor, os.WEXITED)
        os.close(self._descriptor)
        self.living.discard(self.pid)
        _Sessions.of(self._loop).ended(self.pid)
        if result is None:
            self._exit.set_result(-signal.SIGKILL)
        else:
            exited = result.si_code == os.CLD_EXITED
            self._exit.set_result(result.si_status if exited else -result.si_status)


class _Sessions:
    """The sessions of one event loop whose leaders have ended, until their remaining processes are reaped.

    Sessions that end within a moment are searched together: a separate search for each of hundreds would read the state
    of all other processes each time.
    """

    current: ClassVar[_Sessions | None] = None

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._fresh: set[int] = set()
        self._due: set[int] = set()

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> _Sessions:
        """Return the sessions of `loop`, the only loop of this process that runs."""
        if cls.current is None or cls.current._loop is not loop:
            cls.current = cls(loop)
        return cls.current

    def ended(self, session: int) -> None:
        """Look for the remaining processes of `session` after _STRAY_DELAY_S, or after twice that."""
        if not self._fresh and not self._due:
            self._loop.call_later(_STRAY_DELAY_S, self._look)
        self._fresh.add(session)

    def _look(self) -> None:
        if self._due:
            reap_orphans(self._due)
        self._due, self._fresh = self._fresh, set()
        if self._due:
            self._loop.call_later(_STRAY_DELAY_S, self._look)


def reap_orphans(sessions: Collection[int]) -> None:
    """Kill and reap the orphans of `sessions` whose leaders have ended: what handlers left running."""
    for pid in children_of_this():
        if pid not in Child.living and _session(pid) in sessions:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)


async def reap_unknown(reaped: Callable[[], object] = lambda: None) -> None:
    """Reap children that have ended and that the box has never heard of.

    They died before they could report, or the process that forked them did. They are reaped only at a second look: the
    report of a child that has just ended may still come. Some end only after others. `reaped` is called after each look
    that found some.
    """
    for _ in range(_UNKNOWN_LOOKS):
        before = _ended_unknown()
        await asyncio.sleep(_UNKNOWN_PATIENCE_S)
        if ended := before & _ended_unknown():
            _reap(ended)
            reaped()


def reap_ended() -> None:
    """Reap them at once, where no report is expected any more."""
    _reap(_ended_unknown())


def _reap(pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _ended_unknown() -> set[int]:
    return {pid for pid in children_of_this() if pid not in Child.living and _state(pid) == "Z"}


def children_of_this() -> list[int]:
    """Return the pids of this process's children, with those that have ended and are not reaped."""
    return children_of("self")


def children_of(process: int | str) -> list[int]:
    """Return the pids of another process's children; none for a process that has ended."""
    pids: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            with contextlib.suppress(OSError):
                pids += map(int, (task / "children").read_text("ascii").split())
    return pids


def name_of(pid: int) -> str:
    """Return the name that the process has set; "" where there is no such process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    """Return the pid of its parent; -1 where there is no such process."""
    return int(_stat(pid, 1) or -1)


def _session(pid: int) -> int:
    return int(_stat(pid, 3) or -1)


def _state(pid: int) -> str:
    """Return the state letter of proc(5); "" where there is no such process."""
    return _stat(pid, 0)


def _stat(pid: int, place: int) -> str:
    """Return the field of /proc/PID/stat at `place` behind the process's name.

    Returns "" where there is no such process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[place]


def describe_exit(status: int) -> str:
    """Return an exit status in words, with its most likely cause."""
    if status >= 0:
        return f"exited with code {status}"
    name = signals.name_of(-status)
    hint = {"SIGKILL": " (by hand, or out of memory)", "SIGSEGV": " (a crash in native code)"}.get(name, "")
    return f"was killed by {name}{hint}"
