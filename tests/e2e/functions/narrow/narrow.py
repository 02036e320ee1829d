"""One instance and room for one more request to wait: the next is too many."""

import time

from edgefn import edge_function


@edge_function(memory="64MiB", timeout="20s", scale=(0, 1), queue=1)
def narrow(seconds: float) -> str:
    """Takes as long as it is told."""
    time.sleep(seconds)
    return "done"
