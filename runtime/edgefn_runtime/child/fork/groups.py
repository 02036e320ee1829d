"""A child's way into its control groups, by descriptors that the box has opened. Nothing is decided here."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable


def join(cgroup_fds: Iterable[int]) -> None:
    """This process is in the groups, its descriptors of them closed. Raises OSError.

    A folder (version 2) was entered with the fork already. Of one thread only: see `supervisor.controlgroups`.
    """
    for descriptor in cgroup_fds:
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"0")
        finally:
            os.close(descriptor)


def folder_of(cgroup_fds: Iterable[int]) -> int | None:
    """The one to fork into (version 2), or None."""
    return next((one for one in cgroup_fds if stat.S_ISDIR(os.fstat(one).st_mode)), None)
