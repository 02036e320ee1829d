"""How a child comes to life: forked twice, so that its parent is the box process, and bound to die with it.

The box is a subreaper (prctl(2)): a grandchild whose parent has left becomes its child. So the death of a zygote
or a template takes nobody along, the box sees every exit itself, and when the box dies the kernel kills all.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_ADOPTION_DEADLINE_S = 5.0

_libc = ctypes.CDLL(None, use_errno=True)


def fork_child(main: Callable[[], int], *, box_pid: int, keep: Iterable[int]) -> None:
    """A new process runs `main` and leaves with what it returns; the caller goes on at once.

    Of the caller's descriptors the child keeps 0, 1, 2 and `keep`.
    """
    middle = os.fork()
    if middle == 0:
        _leave_after(lambda: _middle(main, box_pid, keep))
    os.waitpid(middle, 0)


def _middle(main: Callable[[], int], box_pid: int, keep: Iterable[int]) -> int:
    if os.fork() == 0:
        _leave_after(lambda: _child(main, box_pid, keep))
    return 0


def _child(main: Callable[[], int], box_pid: int, keep: Iterable[int]) -> int:
    _close_all_but(keep)
    os.setsid()
    if not _adopted_by(box_pid):
        return 0
    die_with_parent()
    if os.getppid() != box_pid:
        return 0  # the box died between the two lines above
    _reset_signals()
    return main()


def _leave_after(main: Callable[[], int]) -> None:
    """Runs `main` and ends the process without the parent's exit handlers and buffers."""
    code = 1
    try:
        code = main()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _adopted_by(box_pid: int) -> bool:
    deadline = time.monotonic() + _ADOPTION_DEADLINE_S
    while os.getppid() != box_pid:
        if time.monotonic() > deadline:
            return False
        os.sched_yield()
    return True


def die_with_parent() -> None:
    """The kernel kills this process when its parent dies (PR_SET_PDEATHSIG), and it gains no privileges."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def limit_memory(further_bytes: int) -> None:
    """This process may have `further_bytes` more of private writable memory than it has now (RLIMIT_DATA).

    Mapped weights do not count: they are read-only and shared. Beyond it allocations fail: MemoryError in Python.
    """
    limit = _data_bytes() + further_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def first_to_go() -> None:
    """Should the machine run out of memory, the kernel takes this process before the box and its templates."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("500")


def no_core_dump() -> None:
    """A crash writes no core file: it would hold a user's data and fill the disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _data_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmData")


def thread_count() -> int:
    """Threads of this process; fork() copies only the calling one, so a template must have one."""
    return len(os.listdir("/proc/self/task"))


def _close_all_but(keep: Iterable[int]) -> None:
    kept = {0, 1, 2, *keep}
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor not in kept:
            with contextlib.suppress(OSError):  # the one that listed the folder is closed already
                os.close(descriptor)


def _reset_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the box alone
    signal.set_wakeup_fd(-1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"prctl({option})")
