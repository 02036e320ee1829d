"""A kernel that lacks layers of isolation, by a filter of system calls: `kernel.py LACKING PROGRAM ARGUMENT...`.

LACKING is of "landlock", "namespaces" and "seccomp", with + between. The program and what it starts have such a kernel.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from edgefn.system.bpf import ALLOW, ARGUMENTS, ERRNO, JUMP_ANY_BIT, JUMP_EQUAL, LOAD, NUMBER, RETURN, program, step
from edgefn.system.syscalls import prctl


def take_away(lacking: Sequence[str]) -> None:
    """Have a kernel from here on that has no Landlock or takes no more filters, or allows no namespaces."""
    steps = [step(LOAD, NUMBER)]
    if "landlock" in lacking:
        for number in (444, 445, 446):
            steps += [step(JUMP_EQUAL, number, 0, 1), step(RETURN, ERRNO | errno.ENOSYS)]
    if "seccomp" in lacking:
        calls = {"seccomp": 317, "prctl": 157} if os.uname().machine == "x86_64" else {"seccomp": 277, "prctl": 167}
        steps += [step(JUMP_EQUAL, calls["seccomp"], 0, 1), step(RETURN, ERRNO | errno.ENOSYS)]
        looks = [
            step(LOAD, ARGUMENTS[0]),
            step(JUMP_EQUAL, 22, 0, 1),  # PR_SET_SECCOMP
            step(RETURN, ERRNO | errno.EINVAL),
            step(LOAD, NUMBER),
        ]
        steps += [step(JUMP_EQUAL, calls["prctl"], 0, len(looks)), *looks]
    if "namespaces" in lacking:
        x86, arm = {"unshare": 272, "clone": 56}, {"unshare": 97, "clone": 220}
        numbers = x86 if os.uname().machine == "x86_64" else arm
        steps += [step(JUMP_EQUAL, numbers["unshare"], 0, 1), step(RETURN, ERRNO | errno.EPERM)]
        looks = [
            step(LOAD, ARGUMENTS[0]),
            step(JUMP_ANY_BIT, 0x7E020000, 0, 1),
            step(RETURN, ERRNO | errno.EPERM),
            step(RETURN, ALLOW),
        ]
        steps += [step(JUMP_EQUAL, numbers["clone"], 0, len(looks)), *looks]
    if lacking:
        filter_, kept = program(b"".join([*steps, step(RETURN, ALLOW)]))
        prctl(22, 2, filter_)
        del kept


if __name__ == "__main__":
    take_away(sys.argv[1].split("+"))
    os.execv(sys.argv[2], sys.argv[2:])
