"""Takes as long as it is told, and says which process did."""

import os
import time

from edgefn import edge_function


@edge_function(memory="64MiB", timeout="20s", idle="60s", scale=(0, 3))
def slow(seconds: float) -> int:
    """The process that answered."""
    time.sleep(seconds)
    return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
