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
    """Bytes that a compiler of a model with so many bytes of weights, and of calibration samples, may hold."""
    return FLOOR_BYTES + WEIGHTS_FACTOR * weights_bytes + SAMPLES_FACTOR * samples_bytes


def startable(waiting: Sequence[int], running: Sequence[int], cores: int, memory_bytes: int) -> int:
    """How many of `waiting`, from its front, may begin now; both are the compilers' estimates in bytes.

    One always may when none runs, however little memory there is: a build that cannot begin helps nobody. None
    overtakes another, so that a large one is not put off for ever.
    """
    taken, started = sum(running), 0
    for size in waiting:
        alone = not running and not started
        full = len(running) + started >= max(1, cores) or taken + size > memory_bytes
        if full and not alone:
            break
        taken, started = taken + size, started + 1
    return started
