"""The facts of this machine, for the matcher: read from /proc, /dev and the metadata of installed distributions.

Never imports an engine.
"""

from __future__ import annotations

import os
import platform
import re
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec

from edgefn.targets.matcher import MachineFacts
from edgefn.targets.profiles import libraries

_ARM = "0x41"
_CORES = {
    "0xd03": "Cortex-A53",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
}
"""Arm's names of its cores by part number, which is all that an ARM Linux tells. Source: util-linux, lscpu-arm.c."""

_ISA = re.compile(r"rv64([a-z]*)")


@lru_cache(maxsize=64)  # a bundle names the libraries
def this_machine(*further: str) -> MachineFacts:
    """Read the facts of this machine once, with the versions of `further` distributions if installed.

    `this_machine.cache_clear()` makes the next call read them again.
    """
    cpu = cpuinfo()
    names = {*libraries(), *further}
    return MachineFacts(
        arch=platform.machine(),
        cpu=name(cpu),
        features=features(cpu),
        libraries={name: found for name in sorted(names) if (found := installed(name))},
        devices=_devices(),
    )


def cpuinfo() -> dict[str, str]:
    """Read the lines of /proc/cpuinfo about the first CPU; empty where it cannot be read."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            first = file.read().partition("\n\n")[0]
    except OSError:
        return {}
    lines = (line.partition(":") for line in first.splitlines())
    return {key.strip(): " ".join(value.split()) for key, _, value in lines}


def name(cpu: dict[str, str]) -> str:
    """Return the CPU's name for people from its cpuinfo; the platform's name for it, or "", without one."""
    if found := cpu.get("model name"):
        return found
    part = cpu.get("CPU part", "")
    return _CORES.get(part, f"part {part}") if part and cpu.get("CPU implementer") == _ARM else platform.processor()


def features(cpu: dict[str, str]) -> frozenset[str]:
    """Return the CPU's features from its cpuinfo.

    These are `flags` on x86, `Features` on ARM, the parts of `isa` on RISC-V.
    """
    first, *extensions = cpu.get("isa", "").split("_")
    base = _ISA.match(first)
    letters = list(base[1]) if base else []
    return frozenset(
        [*cpu.get("flags", "").split(), *cpu.get("Features", "").split(), *letters, *filter(None, extensions)]
    )


def installed(distribution: str, module: str = "") -> str:
    """Return the distribution's version, or "" where it is not installed.

    It does not count as installed when its metadata remains but `module` is gone.
    """
    try:
        found = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
    return found if not module or find_spec(module) is not None else ""


def _devices() -> frozenset[str]:
    """List the nodes in /dev and one folder below.

    Accelerators have e.g. /dev/rknpu, /dev/dri/renderD128, /dev/accel/accel0.
    """
    found: set[str] = set()
    for folder in ("/dev", *(entry.path for entry in _entries("/dev") if entry.is_dir(follow_symlinks=False))):
        found.update(entry.path for entry in _entries(folder) if not entry.is_dir(follow_symlinks=False))
    return frozenset(found)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
