"""Waits as a handler does whose model runs on a chip of its own: 50 ms in which no core is busy."""

from __future__ import annotations

import time

from edgefn import edge_function

WORK_S = 0.050


@edge_function(memory="64MiB", timeout="5s", idle="4s", scale=(0, 6))
def on_chip(n: int) -> dict[str, int]:
    """The number after `n`, after a while."""
    time.sleep(WORK_S)
    return {"n": n + 1}
