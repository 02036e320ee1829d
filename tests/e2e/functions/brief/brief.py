"""Goes back to zero instances as soon as nobody has asked for 300 ms."""

import os

from edgefn import edge_function


@edge_function(memory="64MiB", idle="300ms", scale=(0, 2))
def brief() -> int:
    """The process that answered."""
    return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
