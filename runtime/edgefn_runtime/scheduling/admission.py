"""Whether a request may wait, and when one that may not should come again."""

from __future__ import annotations

import math

MOST_RETRY_AFTER_S = 60


def admits(waiting: int, queue: int) -> bool:
    """Whether one more request may wait behind `waiting` others, in a queue of `queue` places."""
    return waiting < queue


def retry_after_s(waiting: int, slots: int, service_s: float) -> int:
    """Whole seconds until `waiting` requests of `service_s` each have gone through `slots` places; at least 1."""
    seconds = waiting * service_s / max(1, slots)
    return max(1, min(MOST_RETRY_AFTER_S, math.ceil(seconds)))
