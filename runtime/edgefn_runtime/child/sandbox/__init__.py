"""The sandbox between code that is not trusted and the machine: layers, put on between a fork and its first line.

By system calls alone; forks inherit it all. A process that forks for such code calls `prepare`, and `warm_up`, where
there is time, and `enter` with a Confinement.

confinement.py   what a process may read, write, use and be
layers.py        the order in which the layers go on, and which of them hold here
namespaces.py    mounts, System V objects, the network; a user namespace where the box is not root
init.py          a PID namespace and its first process
reaper.py        the end of a handler's programs, where there is no PID namespace
root.py          a root of its own
mounts.py        mounts by descriptor
readable.py      the parts of the machine that every function may read
identity.py      a user of its own, and its capabilities
landlock.py      files, TCP, signals
seccomp.py       system calls
"""

from edgefn_runtime.child.sandbox.confinement import Confinement, confinement_of
from edgefn_runtime.child.sandbox.layers import (
    Enforcement,
    NotEnforced,
    enter,
    leave_alone,
    prepare,
    probe,
    warm_up,
)

__all__ = [
    "Confinement",
    "Enforcement",
    "NotEnforced",
    "confinement_of",
    "enter",
    "leave_alone",
    "prepare",
    "probe",
    "warm_up",
]
