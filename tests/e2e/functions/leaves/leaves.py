"""Bad in one way: the handler ends its own process, in the way it is told."""

import os
import signal
import sys

from edgefn import edge_function


@edge_function(memory="64MiB", scale=(0, 1))
def leaves(how: str) -> int:
    """The process that answered, if it stayed."""
    if how == "sys.exit":
        sys.exit(3)
    if how == "os._exit":
        os._exit(3)
    if how == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
