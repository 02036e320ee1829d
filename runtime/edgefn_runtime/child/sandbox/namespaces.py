"""Namespaces (namespaces(7)): a process's own mounts, System V objects, and network interfaces with none up.

The zygote of a box that is not root is in a user namespace (`enter_user`), in which its children may make the others;
with the sub-uids of its user, where root gave it some.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from edgefn.system import subids
from edgefn.system.syscalls import unshare
from edgefn_runtime.child.sandbox import mounts

_NEW_MOUNTS, _NEW_IPC, _NEW_USER, _NEW_NETWORK = 0x00020000, 0x08000000, 0x10000000, 0x40000000


def enter_user() -> None:
    """Become the privileged user of a user namespace, under the same number.

    Does nothing as root, or where it is not allowed. Only for a process of one thread. The processes that it starts are
    in the namespace, too.
    """
    if os.geteuid() == 0:
        return
    for numbers in dict.fromkeys((subids.available(), subids.NONE)):
        if _may_enter_user(numbers):
            _enter_user(numbers)
            return


def _may_enter_user(numbers: range) -> bool:
    """Tell whether a user namespace can be entered and used here, by trying it in a child.

    Some machines let any user make one and no user use it, and there is no way back.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _enter_user(numbers)
            enter(network=False)
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def _enter_user(numbers: range) -> None:
    """Enter a user namespace with `numbers` as users beside this process's own. Raises OSError."""
    if numbers:
        _enter_given(numbers)
        return
    uid, gid = os.geteuid(), os.getegid()
    unshare(_NEW_USER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _enter_given(numbers: range) -> None:
    """Enter a user namespace, and let a child outside give it `numbers`. Raises OSError.

    No process inside may give them.
    """
    entered, entering = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(entering)
            os.read(entered, 1)
            subids.give(os.getppid(), numbers)
            code = 0
        finally:
            os._exit(code)
    try:
        unshare(_NEW_USER)
    finally:
        os.close(entered)
        os.close(entering)
        code = os.waitpid(child, 0)[1]
    if code != 0:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), "newuidmap")


def enter(*, network: bool) -> None:
    """Give this process namespaces of its own; with `network`, the host's interfaces stay. Raises OSError."""
    unshare(_NEW_MOUNTS | _NEW_IPC | (0 if network else _NEW_NETWORK))
    mounts.follow_host()
