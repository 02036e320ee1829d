"""Computes for as long as it is told, and says which process did."""

import os
import time

from edgefn import edge_function


@edge_function(memory="64MiB", timeout="30s", idle="60s", scale=(0, 3))
def spins(seconds: float) -> int:
    """The process that answered, after `seconds` of processor time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
