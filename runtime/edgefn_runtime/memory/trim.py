"""The box's own memory after its functions have gone to zero: garbage collected, malloc's free pages given back.

The remains of a start and an end lie between blocks that stay; untouched they are a megabyte after some hundred of
them.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc

EVERY_S = 5.0
"""It takes some milliseconds, in which the box does nothing else."""

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; another C library may have none


class MemoryTrim:
    """Trims the box's memory. `soon` is cheap; a second one before the first has been done changes nothing."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        """Schedule a trim within EVERY_S, after which the box holds no more than it uses."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._tidy)

    def cancel(self) -> None:
        """Cancel the scheduled trim."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tidy(self) -> None:
        self._timer = None
        gc.collect()
        if _trim is not None:
            _trim(0)
