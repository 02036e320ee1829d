"""Counts its calls: what was dropped before it was computed is not among them."""

import time

from edgefn import edge_function

served = 0


@edge_function(memory="64MiB", timeout="20s", scale=(0, 1))
def counts(seconds: float) -> int:
    """The number of calls so far, this one too."""
    global served
    served += 1
    time.sleep(seconds)
    return served
