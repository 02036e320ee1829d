"""Says in its log which requests it began, so that a test knows of each whether a handler saw it, and how often."""

import time

from edgefn import edge_function


@edge_function(memory="64MiB", timeout="8s", idle="30s", scale=(0, 2), queue=200)
def witness(n: int, seconds: float = 0.0) -> dict[str, int]:
    """The number after `n`, after so long; a line in the log before."""
    print(f"begun {n}", flush=True)
    time.sleep(seconds)
    return {"n": n + 1}
