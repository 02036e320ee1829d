"""A user of its own for each function, where the box is root: what one leaves behind or uses up is not another's.

The processes and threads of that user are bounded, so a fork bomb stops at the function's own share. The files it may
read belong to the box: CAP_DAC_READ_SEARCH, and it alone, stays for them, below what Landlock opens.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

from edgefn.system.syscalls import capset, prctl
from edgefn_runtime.process import birth

FIRST_UID: Final = 60000
UIDS: Final = 5000
"""Up to 64999, which also a container with 65536 users has. Two functions of one number share their bound."""

_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT = 4, 8, 47
_AMBIENT_RAISE, _AMBIENT_CLEAR = 2, 4
_READ_SEARCH = 2
_VERSION_3 = struct.pack("Ii", 0x20080522, 0)


def uid_of(function: str, box_pid: int) -> int:
    """The number of the user that `function` runs as: the same at each start, another one for another box."""
    return FIRST_UID + zlib.crc32(f"{box_pid} {function}".encode()) % UIDS


def groups_of(paths: Iterable[str]) -> list[int]:
    """The groups that may use these device nodes, as far as they are there; never root's."""
    found = set()
    for path in paths:
        with contextlib.suppress(OSError):
            found.add(os.stat(path).st_gid)
    return sorted(found - {0})


def take(uid: int, processes: int, groups: Sequence[int] = ()) -> None:
    """This process is that user, in `groups` too, with at most `processes` of its own. Raises OSError unless root."""
    if os.geteuid() != 0:
        raise PermissionError(errno.EPERM, "the box is not root")
    prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups(list(groups))
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    birth.lower_limit(resource.RLIMIT_NPROC, processes)
    prctl(_PR_SET_DUMPABLE, 1)  # else its own /proc/self is not its own; tracing it is denied elsewhere


def drop_privileges(*, keep_reading: bool) -> None:
    """No capability is left, but with `keep_reading`, and where it was, CAP_DAC_READ_SEARCH; programs it starts
    have that too, for Python itself may lie in a folder of root's. Raises OSError.
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
