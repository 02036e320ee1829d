"""How a child comes to life: as a child of the box process, whoever forks it, and bound to die with it.

The zygote forks the templates and a template its instances, but the box is the parent of all: the death of a zygote or
a template takes nobody along, the box sees every exit itself, and when the box dies the kernel kills all.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable

from edgefn.system import core_dumps
from edgefn_runtime.child.fork import heap
from edgefn_runtime.child.fork.clone import fork_sibling

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NAME = 15
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_THP_DISABLE = 41

_libc = ctypes.CDLL(None, use_errno=True)


def fork_child(main: Callable[[], int], *, box_pid: int, keep: Iterable[int], group: int | None = None) -> None:
    """A new process runs `main` and leaves with what it returns; the caller goes on at once.

    Of the caller's descriptors the child keeps 0, 1, 2 and `keep`. It is born in the control group `group`, when given.
    """
    if fork_sibling(group) == 0:
        leave_after(lambda: _child(main, box_pid, keep))


def _child(main: Callable[[], int], box_pid: int, keep: Iterable[int]) -> int:
    close_all_but(keep)
    os.setsid()
    die_with_parent()
    if os.getppid() not in (box_pid, 0):  # 0 is one outside of this PID namespace, which ends with the box
        return 0  # the box had died already
    _reset_signals()
    return main()


def leave_after(main: Callable[[], int]) -> None:
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


def die_with_parent() -> None:
    """The kernel kills this process when its parent dies (PR_SET_PDEATHSIG), and it gains no privileges."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def adopt_orphans() -> None:
    """What this process's children leave behind when they end becomes its own, and the box's only when it ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def name(text: str) -> None:
    """What `ps` and `top` call this process and its forks; 15 bytes of it at most."""
    _libc.prctl(_PR_SET_NAME, text.encode()[:15], 0, 0, 0)


def use_huge_pages(wanted: bool) -> None:
    """This process and its forks may get huge pages where malloc asks for them; nothing where the kernel has none.

    Who serves takes them: a first run is faster. The zygote and the templates do without: the last, half empty one
    would be a tenth of their size.
    """
    _libc.prctl(_PR_SET_THP_DISABLE, int(not wanted), 0, 0, 0)


def limit_memory(further_bytes: int) -> None:
    """This process may have `further_bytes` more of private writable memory than it has now (RLIMIT_DATA).

    Mapped weights do not count: they are read-only and shared. Beyond it allocations fail: MemoryError in Python.
    """
    lower_limit(resource.RLIMIT_DATA, _data_bytes() + further_bytes)


def lower_limit(kind: int, value: int) -> None:
    """Bound a resource of this process and its forks by `value`, or by what they may have already where that is less.

    setrlimit(2) raises no bound, and Python tells of it with a ValueError.
    """
    _, bound = resource.getrlimit(kind)
    limit = value if bound == resource.RLIM_INFINITY else min(value, bound)
    resource.setrlimit(kind, (limit, limit))


def settle() -> None:
    """What is to be forked from is at rest: collections in its forks touch none of the shared pages, and what they
    allocate is fresh memory.
    """
    gc.collect()
    gc.freeze()
    heap.close()


def no_core_dump() -> None:
    """A crash writes no core file: it would hold a user's data and fill the disk."""
    core_dumps.forbid()


def _data_bytes() -> int:
    with open("/proc/self/statm", "rb") as statm:  # `status` would take a millisecond
        return int(statm.read().split()[5]) * resource.getpagesize()


def thread_count() -> int:
    """Threads of this process; fork() copies only the calling one, so a template must have one."""
    return len(os.listdir("/proc/self/task"))


def close_all_but(keep: Iterable[int]) -> None:
    """Close all descriptors of this process but 0, 1, 2 and `keep`."""
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
