"""The facts about a box for the choice of targets: its CPU, engines, devices, and what it can and cannot run.

Reads files and metadata; imports no engine, wakes nothing.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec

from edgefn.targets.facts import this_machine
from edgefn.targets.features import FEATURES
from edgefn.targets.profiles import profiles
from edgefn_runtime.artifacts import capability

if TYPE_CHECKING:
    from edgefn_runtime.deployment.deployments import Deployments

_ACCELERATORS = (
    *("/dev/rknpu*", "/dev/nvidia[0-9]*", "/dev/nvhost-gpu", "/dev/nvgpu*", "/dev/davinci[0-9]*"),
    *("/dev/cambricon_dev*", "/dev/adsprpc-smd*", "/dev/dri/renderD*", "/dev/accel/*", "/dev/kfd", "/dev/apex_*"),
    *("/dev/hailo[0-9]*", "/dev/xclmgmt*"),
)
"""Nodes that drivers of accelerators make; of the others in /dev there is nothing to tell."""


def about(deployments: Deployments) -> dict[str, Any]:
    """Return members of the body of GET /admin/box: cpu, engines, devices, targets, refused."""
    here = this_machine()
    satisfied, refused = capability.targets()
    return {
        "cpu": {
            "arch": here.arch,
            "name": here.cpu,
            "features": sorted(here.features & FEATURES.get(here.arch, frozenset())),
        },
        "engines": here.libraries,
        "devices": sorted(filter(_accelerator, here.devices)),
        "targets": {"satisfied": satisfied, "refused": msgspec.to_builtins(refused)},
        "refused": [
            {"function": name, **msgspec.to_builtins(why)}
            for name in deployments.names()
            for why in deployments.refusals(name)
        ],
    }


def _accelerator(device: str) -> bool:
    named = {profile.accelerator.device for profile in profiles().values() if profile.accelerator}
    return device in named or any(fnmatchcase(device, pattern) for pattern in _ACCELERATORS)
