"""Bad in one way: the handler keeps something of every call for ever."""

import os

from edgefn import edge_function

kept: list[bytearray] = []


@edge_function(memory="64MiB", timeout="20s", scale=(0, 1))
def leaks(kibibytes: int) -> int:
    """The process that served; what it kept of this call is written to, so that it is really taken."""
    kept.append(bytearray(b"\1") * (kibibytes * 1024))
    return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
