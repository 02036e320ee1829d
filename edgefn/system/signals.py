"""Signals by their names, for people."""

from __future__ import annotations

import signal


def name_of(number: int) -> str:
    """Return the name of a signal, or its number.

    Most real-time signals have no name, and any of them ends a process.
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
