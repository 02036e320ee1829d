"""Namespaces (namespaces(7)): an own set of mounts, of System V objects, and of network interfaces with none up.

A process that is not root first makes a user namespace, in which it may do the rest. There is no PID namespace:
the box signals its children by their pids, and the death of the namespace's first process would be everybody's.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from edgefn.system.syscalls import mount, unshare

_NEW_MOUNTS, _NEW_IPC, _NEW_USER, _NEW_NETWORK = 0x00020000, 0x08000000, 0x10000000, 0x40000000
_NO_SET_UID, _NO_DEVICES, _NO_EXECUTE, _DOWNWARDS, _RECEIVING = 2, 4, 8, 0x4000, 0x80000


_entered = False


def enter_ahead() -> None:
    """As `enter` without a network, before it is known for whom; where that fails, `enter` tells why."""
    global _entered
    with contextlib.suppress(OSError):
        enter(network=False)
        _entered = True


def enter(*, network: bool) -> None:
    """This process has namespaces of its own; with `network`, the host's interfaces. Raises OSError."""
    if _entered:
        return
    wanted = _NEW_MOUNTS | _NEW_IPC | (0 if network else _NEW_NETWORK)
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        unshare(wanted)
    else:
        unshare(_NEW_USER | wanted)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    mount("none", "/", "", _DOWNWARDS | _RECEIVING)  # nothing mounted here is seen outside; what is unmounted there is


def mount_scratch(folder: str, size_bytes: int, uid: int) -> None:
    """`folder` is, for this process and its forks, an empty file system in memory of at most `size_bytes`,
    owned by `uid`.

    Needs `enter`. It goes with the last process that sees it: nothing is to be cleaned up. Raises OSError.
    """
    options = f"size={size_bytes},nr_inodes=10000,mode=0700,uid={uid}"
    mount("edgefn", folder, "tmpfs", _NO_SET_UID | _NO_DEVICES | _NO_EXECUTE, options)
