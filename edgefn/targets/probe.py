"""What an engine finds of itself on this machine: whether it can work, and what to do where it cannot."""

from __future__ import annotations

import msgspec


class Probe(msgspec.Struct, frozen=True):
    """Whether a backend can work here, and what to do where it cannot."""

    available: bool
    version: str = ""
    has: str = ""
    fix: str = ""
