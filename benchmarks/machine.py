"""The machine and the software that the figures are of: without them a figure says nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from edgefn.targets import groups
from edgefn.targets.facts import this_machine

_PACKAGES = ("edgefn", "torch", "onnxruntime", "numpy", "uvicorn", "uvloop")


def describe() -> dict[str, Any]:
    """Processor, cores, memory, kernel, Python and packages; and how busy the machine is with other work."""
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "load": load(),
    }


def targets() -> list[str]:
    """Return the portable target, and this machine's best float and int8 ones."""
    best = groups.native(this_machine())
    return ["portable/fp32", *(f"{best}/{one}" for one in ("fp32", "int8", "int8@openvino") if best)]


def int8() -> str:
    """Return this machine's best int8 target in the default engine. Raises StopIteration where it has none."""
    return next(one for one in targets() if one.endswith("/int8"))


def load() -> float:
    """Processes that ran or wanted to, over the last minute."""
    return round(os.getloadavg()[0], 2)


def _field(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
