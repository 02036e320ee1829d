"""A child enters its control groups, by descriptors that the box has opened. Nothing is decided here."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable


def join(cgroup_fds: Iterable[int]) -> None:
    """Move this process into the groups, and close their descriptors. Raises OSError.

    A folder (version 2) was entered with the fork already. Only for a process of one thread: see
    `cgroups.controlgroups`.
    """
    for descriptor in cgroup_fds:
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"0")
        finally:
            os.close(descriptor)


def folder_of(cgroup_fds: Iterable[int]) -> int | None:
    """Return the descriptor of the group to fork into (version 2), or None."""
    return next((one for one in cgroup_fds if stat.S_ISDIR(os.fstat(one).st_mode)), None)
