"""A separate user for each function, where the box is root or its user has sub-uids.

So what one function leaves behind or uses up is not another's. The processes and threads of that user are bounded, so
a fork bomb stops at the function's own share. No capability is left; only where a function has no root of its own,
CAP_DAC_READ_SEARCH stays, below what Landlock opens.
"""

from __future__ import annotations

import errno
import os
import resource
import struct
from collections.abc import Iterable, Sequence
from typing import Final

from edgefn.system import subids
from edgefn.system.syscalls import capset, prctl
from edgefn_runtime.child.fork import process

NOBODY: Final = 65534
"""The user of a child of root's that was given none: of the probe."""

_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT = 4, 8, 47
_AMBIENT_RAISE, _AMBIENT_CLEAR = 2, 4
_READ_SEARCH = 2
_VERSION_3 = struct.pack("Ii", 0x20080522, 0)


def anybody() -> int:
    """Return a user for a child that has none assigned; this process's own user where it has no others."""
    if os.geteuid() == 0:
        return NOBODY
    others = subids.mapped()
    return others[-1] if others else os.geteuid()


def groups_of(nodes: Iterable[int]) -> list[int]:
    """Return the groups of these open device nodes, but never root's."""
    return sorted({os.fstat(node).st_gid for node in nodes} - {0})


def take(uid: int, processes: int, groups: Sequence[int] = ()) -> None:
    """Become the user `uid`, in `groups` too, with at most `processes` of its own.

    Raises OSError where it may not. A process that is not root can join no other groups: with `groups`, which are those
    of devices, it keeps its own.
    """
    if os.geteuid() != 0 and uid not in subids.mapped():
        raise PermissionError(
            errno.EPERM, "the box does not run as root, and its user has no sub-uids (subuid(5), newuidmap)"
        )
    prctl(_PR_SET_KEEPCAPS, 1)
    if os.geteuid() == 0 or not groups:
        os.setgroups(list(groups))
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    process.lower_limit(resource.RLIMIT_NPROC, processes)
    prctl(_PR_SET_DUMPABLE, 1)  # else its own /proc/self is not its own; tracing it is denied elsewhere


def drop_privileges(*, keep_reading: bool) -> None:
    """Drop all capabilities; with `keep_reading`, keep CAP_DAC_READ_SEARCH where the process has it.

    Programs that it starts keep it too, because Python itself may lie in a folder of root's. Raises OSError.
    """
    prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR)
    if keep_reading:
        try:
            _set(1 << _READ_SEARCH)
            prctl(_PR_CAP_AMBIENT, _AMBIENT_RAISE, _READ_SEARCH)
            return
        except PermissionError:
            pass  # it was not there: this is not root
    _set(0)


def _set(kept: int) -> None:
    capset(_VERSION_3, struct.pack("IIIIII", kept, kept, kept, 0, 0, 0))
