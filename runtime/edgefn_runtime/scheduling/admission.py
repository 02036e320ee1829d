"""Whether a request may wait, and when one that may not should come again."""

from __future__ import annotations

import math

MOST_RETRY_AFTER_S = 60


def admits(inside: int, slots: int, queue: int) -> bool:
    """Whether one more request may come in beside `inside` others: `slots` are served at once, `queue` more wait.

    The slots count as soon as instances may be started for them, so a queue of 0 does not forbid a cold start.
    """
    return inside < slots + queue


def retry_after_s(waiting: int, slots: int, service_s: float) -> int:
    """Whole seconds until `waiting` requests of `service_s` each have gone through `slots` places; at least 1."""
    seconds = waiting * service_s / max(1, slots)
    return max(1, min(MOST_RETRY_AFTER_S, math.ceil(seconds)))
