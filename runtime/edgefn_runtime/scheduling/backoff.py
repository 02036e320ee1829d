"""How long a function that does not start is left alone before the next try."""

from __future__ import annotations

FIRST_S = 1.0
MAX_S = 60.0


def pause_s(failures: int) -> float:
    """Return the pause after `failures` failed starts in a row: 0, 1, 2, 4, … at most 60 seconds."""
    return 0.0 if failures <= 0 else float(min(MAX_S, FIRST_S * 2.0 ** min(failures - 1, 10)))
