"""Which parked templates go when they hold more memory than the box sets aside for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Parked(NamedTuple):
    """A template without instances: what it holds alone, when it was last needed, what loading it again costs."""

    key: str
    private_bytes: int
    used_at: float
    reload_s: float


def to_evict(parked: Sequence[Parked], budget_bytes: int) -> list[str]:
    """Keys of the templates to end so that the rest fits, the cheapest to reload per byte first, then the oldest."""
    excess = sum(template.private_bytes for template in parked) - budget_bytes
    evicted: list[str] = []
    for template in sorted(parked, key=lambda t: (t.reload_s / max(1, t.private_bytes), t.used_at)):
        if excess <= 0:
            break
        evicted.append(template.key)
        excess -= template.private_bytes
    return evicted
