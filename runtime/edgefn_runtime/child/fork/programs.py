"""A seccomp filter (seccomp(2)) that keeps this process and its forks from starting a program.

For a process that runs an engine and nothing else. What it has mapped goes on; execve(2) and execveat(2) fail.
"""

from __future__ import annotations

import errno
import platform

from edgefn.system.bpf import ALLOW, ARCHITECTURE, ERRNO, JUMP_EQUAL, LOAD, NUMBER, RETURN, program, step
from edgefn.system.syscalls import prctl

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_CALLS = {"x86_64": (0xC000003E, (59, 322)), "aarch64": (0xC00000B7, (221, 281))}
"""AUDIT_ARCH, and the numbers of execve and execveat."""


def forbid() -> None:
    """Forbid this process and its forks to start programs.

    Raises OSError where the kernel has no seccomp. The process must have no-new-privileges set.
    """
    if platform.machine() not in _CALLS:
        raise OSError(errno.ENOSYS, f"no list of system calls for {platform.machine()}", "seccomp")
    architecture, numbers = _CALLS[platform.machine()]
    deny = step(RETURN, ERRNO | errno.EPERM)
    steps = [step(LOAD, ARCHITECTURE), step(JUMP_EQUAL, architecture, 1, 0), deny, step(LOAD, NUMBER)]
    for number in numbers:
        steps += [step(JUMP_EQUAL, number, 0, 1), deny]
    fprog, kept = program(b"".join([*steps, step(RETURN, ALLOW)]))
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, fprog)
    del kept
