"""This machine in one short word, as far as a finished artifact depends on it.

Read from /proc and from installed distributions' metadata. Never imports an engine or a framework.
"""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import entry_points

import msgspec

from edgefn.targets.facts import cpuinfo, installed
from edgefn.targets.profiles import libraries

BACKENDS = "edgefn.backends"
"""The entry-point group of third-party backends, which finish artifacts, too."""

_CPU_KEYS = ("vendor_id", "cpu family", "model", "model name", "flags", "Features", "CPU implementer", "CPU part")
"""Lines of /proc/cpuinfo that distinguish CPUs, x86 or ARM; not clocks, cores or microcode."""


class FingerprintInput(msgspec.Struct, frozen=True):
    """The facts that the fingerprint is made of.

    `engines` are versions by distribution, "" for one that is not installed: the runtimes of edgefn's profiles, others'
    backends, and edgefn itself.
    """

    machine: str
    cpu: dict[str, str]
    python: str
    engines: dict[str, str]

    @property
    def digest(self) -> str:
        """Return 16 hexadecimal digits, enough to tell apart the machines and versions of one home."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]


@cache
def facts() -> FingerprintInput:
    """Read the facts of this machine and this Python, once."""
    return FingerprintInput(platform.machine(), _cpu(), platform.python_version(), _engines())


def fingerprint() -> str:
    """Return the name of this machine's folder of finished artifacts."""
    return facts().digest


def _cpu() -> dict[str, str]:
    found = {key: value for key, value in cpuinfo().items() if key in _CPU_KEYS}
    return found or {"processor": platform.processor()}


def _engines() -> dict[str, str]:
    others = {entry.dist.name for entry in entry_points(group=BACKENDS) if entry.dist is not None}
    return {name: installed(name) for name in sorted({"edgefn", *libraries(), *others})}
