"""The time of day, for people to read: nothing is timed or decided by it, as a clock may jump."""

from __future__ import annotations

from datetime import UTC, datetime


def now(timespec: str = "seconds") -> str:
    """Return the time of day in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec=timespec)
