"""A fork() that makes a sibling and not a child: clone(2) with CLONE_PARENT, by system call.

It does what glibc's fork does in a process of one thread: Python's own handlers run around it, and the child's thread
id is put where glibc caches it (found by PR_GET_TID_ADDRESS). It leaves out the locks of malloc and stdio, which no
other thread can hold in a process of one thread. On another kernel or processor the child is forked twice instead, and
the box, a subreaper, adopts it: the same result for twice the time.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
from collections.abc import Callable

_CLONE_PARENT = 0x00008000
_CLONE_CHILD_CLEARTID = 0x00200000
_CLONE_CHILD_SETTID = 0x01000000
_FLAGS = _CLONE_PARENT | _CLONE_CHILD_CLEARTID | _CLONE_CHILD_SETTID | signal.SIGCHLD
_CLONE_INTO_CGROUP = 0x200000000
_CLONE3 = 435
_PR_GET_TID_ADDRESS = 40
_ADOPTION_PATIENCE = 1_000_000

_NUMBERS = {"x86_64": 56, "aarch64": 220}
"""clone's number; after the flags, stack and parent's tid, x86-64 takes the child's tid and tls, aarch64 takes them
in the other order."""

_libc = ctypes.PyDLL(None, use_errno=True)  # the lock of the interpreter is held across the call, as in os.fork
_libc.syscall.restype = ctypes.c_long


def fork_sibling(group: int | None = None, *, namespaces: int = 0) -> int:
    """Fork a child of this process's parent; return 0 in the child, and not 0 here. One thread only.

    With `group`, a descriptor of a control group's folder (version 2), the child is born in it; with `namespaces`,
    flags of clone(2), in new ones. Raises OSError.
    """
    if group is not None:
        return _fork_into(group)
    number, address = _NUMBERS.get(platform.machine()), _tid_address()
    if number is None or not address:
        if namespaces:
            raise OSError(errno.ENOSYS, "a fork here cannot be given its parent", "clone")
        return _fork_twice()
    tail = (address, None) if number == _NUMBERS["x86_64"] else (None, address)
    words = [*map(ctypes.c_void_p, tail)]
    flags = _FLAGS | namespaces
    pid = _around(lambda: int(_libc.syscall(number, flags, None, None, *words)))
    if pid < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "clone")
    return pid


def _fork_into(group: int) -> int:
    """Fork as `fork_sibling` does, by clone3, which alone puts a child into a group from its start.

    Writing the child into the group later takes 5 ms. Where the address of the thread's id is unknown or clone3 is
    forbidden, the child writes itself there all the same.
    """
    address = _tid_address()
    if platform.machine() in _NUMBERS and address:
        flags = (_FLAGS & ~0xFF) | _CLONE_INTO_CGROUP  # a sibling's exit signal is its parent's: none may be named
        arguments = struct.pack("11Q", flags, 0, address, 0, 0, 0, 0, 0, 0, 0, group)
        pid = _around(lambda: int(_libc.syscall(_CLONE3, arguments, len(arguments))))
        if pid >= 0:
            return pid
    pid = fork_sibling()
    if pid == 0:
        procs = os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=group)
        os.write(procs, b"0")
        os.close(procs)
    return pid


def _around(clone: Callable[[], int]) -> int:
    """Call `clone` between Python's own fork handlers, and return its result."""
    python = ctypes.pythonapi
    python.PyOS_BeforeFork()
    pid = clone()
    if pid == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    return pid


def _tid_address() -> int:
    """Return the address at which glibc keeps the thread's id.

    Returns 0 where the kernel does not give it (CONFIG_CHECKPOINT_RESTORE).
    """
    address = ctypes.c_void_p()
    if _libc.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0) != 0 or not address.value:
        return 0
    return address.value if ctypes.c_int.from_address(address.value).value == os.getpid() else 0


def _fork_twice() -> int:
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        return middle
    middle = os.getpid()
    if os.fork():
        os._exit(0)
    for _ in range(_ADOPTION_PATIENCE):
        if os.getppid() != middle:
            break
        os.sched_yield()
    return 0
