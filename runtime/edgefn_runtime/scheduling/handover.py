"""How many calls an instance is handed beyond those it works on.

Between two short calls most of the time goes into waking the other process. An instance that has its next calls
already goes on without sleeping, and answers several with one system call. A call that was handed over early and is not
begun in time is taken back (`wire.call_board`), so one slow call among short ones delays no other for longer than
STALL_S.
"""

from __future__ import annotations

MAX_PREFETCH = 15
PREFETCH_S = 0.002
"""Work that may lie before a call that is handed over early."""

STALL_S = 0.005
"""Without an answer for so long, calls not begun are taken back."""


def prefetch(service_s: float) -> int:
    """Return how many calls of `service_s` each may be handed over early.

    It is 0 where waking takes little time beside the work.
    """
    return int(min(MAX_PREFETCH, PREFETCH_S / max(service_s, 1e-9)))


class ServiceTime:
    """The mean time that an instance works on a call: falls within some ten calls, rises at once."""

    def __init__(self, first_s: float = 0.05) -> None:
        self.mean_s = first_s

    def add(self, seconds: float) -> None:
        """Record that a call was worked on for `seconds`."""
        share = 0.5 if seconds > self.mean_s else 0.1
        self.mean_s += share * (seconds - self.mean_s)
