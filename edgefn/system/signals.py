"""Signals by their names, for people."""

from __future__ import annotations

import signal


def name_of(number: int) -> str:
    """Return what a signal is called, or its number: most real-time signals have no name, and any ends a process."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
