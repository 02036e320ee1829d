"""The CPU that this runs on: its architecture, and the features that the kernel says it has."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def arch() -> str:
    """The architecture as profiles name it, e.g. "x86_64"."""
    return platform.machine()


def features() -> frozenset[str]:
    """Flags of the first CPU in /proc/cpuinfo ("flags", on ARM "Features"); empty where it has no such line."""
    for line in CPUINFO.read_text("utf-8", "replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()
