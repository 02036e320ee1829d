"""What a box is told at its start: where it lives, where it listens, and its limits."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080


class BoxSettings(msgspec.Struct, frozen=True):
    """Sizes in bytes, durations in seconds. `port` 0 takes a free one.

    `parked_bytes` is what templates without instances may hold together; beyond it the cheapest to reload end.
    """

    home: Path
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    drain_s: float = 30.0
    parked_bytes: int = 512 * 2**20


def default_home() -> Path:
    """/var/lib/edgefn as root, else edgefn below the XDG state directory; EDGEFN_HOME goes before both."""
    if home := os.environ.get("EDGEFN_HOME"):
        return Path(home)
    if os.geteuid() == 0:
        return Path("/var/lib/edgefn")
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "edgefn"
