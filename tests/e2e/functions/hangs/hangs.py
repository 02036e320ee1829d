"""Bad in one way: the handler does not come back when it is told to hang."""

import os
import time

from edgefn import edge_function


@edge_function(memory="64MiB", timeout="1s", scale=(0, 1))
def hangs(forever: bool) -> int:
    """The process that answered, if it answers."""
    while forever:
        time.sleep(1)
    return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
