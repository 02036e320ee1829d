"""The facts about a box for the choice of targets: its CPU, engines, devices, and what it can and cannot run.

Reads files and metadata; imports no engine, wakes nothing.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from edgefn.api.boxes import CpuInfo, FunctionRefusal, TargetsInfo
from edgefn.targets.features import FEATURES
from edgefn.targets.matcher import MachineFacts
from edgefn.targets.profiles import profiles
from edgefn_runtime.artifacts import capability

if TYPE_CHECKING:
    from edgefn_runtime.deployment.deployments import Deployments

_ACCELERATORS = (
    *("/dev/rknpu*", "/dev/nvidia[0-9]*", "/dev/nvhost-gpu", "/dev/nvgpu*", "/dev/davinci[0-9]*"),
    *("/dev/cambricon_dev*", "/dev/adsprpc-smd*", "/dev/dri/renderD*", "/dev/accel/*", "/dev/kfd", "/dev/apex_*"),
    *("/dev/hailo[0-9]*", "/dev/xclmgmt*"),
)
"""Nodes that drivers of accelerators create; other nodes of /dev are not reported."""


def cpu(here: MachineFacts) -> CpuInfo:
    """Return the machine's CPU, with those of its features that targets ask for."""
    return CpuInfo(here.arch, here.cpu, sorted(here.features & FEATURES.get(here.arch, frozenset())))


def accelerators(here: MachineFacts) -> list[str]:
    """Return the devices that are accelerators, sorted."""
    return sorted(filter(_accelerator, here.devices))


def targets() -> TargetsInfo:
    """Return the targets that this machine satisfies, and why it does not satisfy the others."""
    satisfied, lacking = capability.targets()
    return TargetsInfo(list(satisfied), list(lacking))


def refused(deployments: Deployments) -> list[FunctionRefusal]:
    """Return the artifacts of deployed functions that this box cannot run."""
    return [
        FunctionRefusal(**msgspec.structs.asdict(why), function=name)
        for name in deployments.names()
        for why in deployments.refusals(name)
    ]


def _accelerator(device: str) -> bool:
    named = {profile.accelerator.device for profile in profiles().values() if profile.accelerator}
    return device in named or any(fnmatchcase(device, pattern) for pattern in _ACCELERATORS)
