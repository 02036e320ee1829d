"""How many compilers may run side by side: as many as there are cores, and as memory has room for.

Pure: figures in, a number out. What the machine has is read by `edgefn.system.machine`.
"""

from __future__ import annotations

from collections.abc import Sequence

FLOOR_BYTES = 700 * 2**20
"""What a compiler holds whatever the model is: Python, PyTorch, a toolchain. See docs/decisions/compilers.md."""

WEIGHTS_FACTOR = 6
"""Copies of the weights at the peak: the program, its ONNX, what a toolchain makes of them and what it writes."""

SAMPLES_FACTOR = 2
"""Copies of the calibration inputs: as read, and as a toolchain runs them."""


def estimate(weights_bytes: int, samples_bytes: int = 0) -> int:
    """Estimate the bytes that a compiler may hold, from the bytes of weights and calibration samples."""
    return FLOOR_BYTES + WEIGHTS_FACTOR * weights_bytes + SAMPLES_FACTOR * samples_bytes


def startable(waiting: Sequence[int], running: Sequence[int], cores: int, memory_bytes: int) -> int:
    """Count how many of `waiting`, from its front, may start now.

    `waiting` and `running` are the compilers' estimates in bytes. When none runs, one may always start, however little
    memory there is: otherwise the build could not go on. None overtakes another, so that a large one is not delayed for
    ever.
    """
    taken, started = sum(running), 0
    for size in waiting:
        alone = not running and not started
        full = len(running) + started >= max(1, cores) or taken + size > memory_bytes
        if full and not alone:
            break
        taken, started = taken + size, started + 1
    return started
