"""Core dumps, which would hold tokens and users' data and fill the disk: none of this process, nor of its children."""

from __future__ import annotations

import contextlib
import resource

from edgefn.system.syscalls import prctl

_PR_SET_DUMPABLE = 4
_NOT_EVEN_TO_A_PROGRAM = 1
"""With a limit of 0 the kernel still dumps where kernel.core_pattern names a program; with 1 it does neither
(fs/coredump.c takes it for a dump of the dumper itself)."""


def forbid() -> None:
    """Write no core file of this process, nor of the children that it starts from now on."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = _NOT_EVEN_TO_A_PROGRAM if hard == resource.RLIM_INFINITY else min(hard, _NOT_EVEN_TO_A_PROGRAM)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))


def seal_memory() -> None:
    """Close this process's memory and environment to processes of the same user; a program that it starts is open."""
    with contextlib.suppress(OSError):
        prctl(_PR_SET_DUMPABLE, 0)
