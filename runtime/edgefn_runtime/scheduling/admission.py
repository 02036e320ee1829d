"""Whether a request may wait, and when a refused one should come again."""

from __future__ import annotations

import math

MAX_RETRY_AFTER_S = 60


def admits(inside: int, slots: int, queue: int) -> bool:
    """Tell whether one more request may come in beside `inside` others.

    `slots` are served at once, `queue` more wait. The slots count as soon as instances may be started for them, so a
    queue of 0 does not forbid a cold start.
    """
    return inside < slots + queue


def retry_after_s(seconds: float) -> int:
    """Round the `seconds` after which a request should come again to whole seconds, from 1 to 60."""
    return math.ceil(min(MAX_RETRY_AFTER_S, max(1.0, seconds)))
