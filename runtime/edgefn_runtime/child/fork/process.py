"""Start a child process: a child of the box, whichever process forks it, and bound to die with the box.

The zygote forks the templates and a template its instances, but the box is the parent of all. So the death of a zygote
or a template ends no other process, the box sees every exit itself, and when the box dies the kernel kills all.
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
    """Fork a process that runs `main` and exits with the code it returns; the caller goes on at once.

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
    """Run `main` and end the process without the parent's exit handlers and buffers."""
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
    """Let the kernel kill this process when its parent dies (PR_SET_PDEATHSIG); forbid new privileges."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def adopt_orphans() -> None:
    """Adopt the processes that this process's children leave behind when they end (a subreaper).

    They become the box's only when this process ends.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def name(text: str) -> None:
    """Set the name of this process and its forks, as `ps` and `top` show it; at most 15 bytes of it."""
    _libc.prctl(_PR_SET_NAME, text.encode()[:15], 0, 0, 0)


def use_huge_pages(wanted: bool) -> None:
    """Let this process and its forks get huge pages where malloc asks for them, or forbid it.

    Does nothing where the kernel has none. Serving processes use them: a first run is faster. The zygote and the
    templates do without: the last, half empty huge page would be a tenth of their size.
    """
    _libc.prctl(_PR_SET_THP_DISABLE, int(not wanted), 0, 0, 0)


def limit_memory(further_bytes: int) -> None:
    """Limit this process to `further_bytes` of private writable memory beyond what it has (RLIMIT_DATA).

    Mapped weights do not count: they are read-only and shared. Beyond it allocations fail: MemoryError in Python.
    """
    lower_limit(resource.RLIMIT_DATA, _data_bytes() + further_bytes)


def lower_limit(kind: int, value: int) -> None:
    """Limit a resource of this process and its forks to `value`, or to its present limit if that is lower.

    setrlimit(2) raises no limit, and Python answers an attempt with a ValueError.
    """
    _, bound = resource.getrlimit(kind)
    limit = value if bound == resource.RLIM_INFINITY else min(value, bound)
    resource.setrlimit(kind, (limit, limit))


def settle() -> None:
    """Prepare this process for being forked from.

    Garbage collections in its forks then touch none of the shared pages, and what the forks allocate is fresh memory.
    """
    gc.collect()
    gc.freeze()
    heap.close()


def no_core_dump() -> None:
    """Suppress core files after a crash: they would hold a user's data and fill the disk."""
    core_dumps.forbid()


def _data_bytes() -> int:
    with open("/proc/self/statm", "rb") as statm:  # `status` would take a millisecond
        return int(statm.read().split()[5]) * resource.getpagesize()


def thread_count() -> int:
    """Return the number of threads of this process.

    fork() copies only the calling thread, so a template must have one.
    """
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
