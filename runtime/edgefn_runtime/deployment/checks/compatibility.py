"""Whether this box can serve a bundle: Python, platform, wheels, memory, devices, artifacts."""

from __future__ import annotations

import sys
from functools import cache

import msgspec

from edgefn.bundle.config import BundleConfig
from edgefn.bundle.packages import provided
from edgefn.errors import BundleError, DeploymentRefused
from edgefn.system import machine
from edgefn.targets.matcher import TargetRefusal
from edgefn.text.quantities import format_bytes
from edgefn_runtime.artifacts import capability
from edgefn_runtime.deployment.checks import devices


class PlatformTags(msgspec.Struct, frozen=True):
    """Python as "3.11", the platform tags that wheels may have, and the memory of all processes in bytes."""

    python: str
    platforms: frozenset[str]
    memory_bytes: int


@cache
def this_machine() -> PlatformTags:
    """Return the Python version, the platform tags and the memory of this box, read once."""
    from packaging.tags import platform_tags  # 20 ms that a start without a deployment need not wait for

    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return PlatformTags(python, frozenset({"any", *platform_tags()}), machine.total_bytes())


def check(config: BundleConfig, here: PlatformTags) -> None:
    """Check that this box can serve the bundle of `config`.

    Raises BundleError for a bundle of another platform, DeploymentRefused for one that needs more than this box has.
    """
    name = config.function.name
    if config.python not in ("", here.python):
        raise BundleError(
            f"{name} was built for Python {config.python}, this box runs {here.python}: build it for the box's Python"
        )
    if config.platform not in here.platforms:
        raise BundleError(
            f"{name} has wheels for {config.platform}, this box is {min(here.platforms - {'any'}, key=len)}: "
            "build it for the box's platform"
        )
    if config.function.memory_bytes > here.memory_bytes:
        raise DeploymentRefused(
            f"{name} asks for {format_bytes(config.function.memory_bytes)} for each instance, this box has "
            f"{format_bytes(here.memory_bytes)} in all: lower `memory`, or take a larger box"
        )
    if why := devices.lacking(config.function.devices):
        raise DeploymentRefused(f"{name} needs a device: {why}")
    _check_wheels(config)
    _check_artifacts(config)


def _check_wheels(config: BundleConfig) -> None:
    if found := provided.clashes(config.wheels, provided.provided_here()):
        reasons = "; ".join(str(TargetRefusal(**clash)) for clash in found)
        raise BundleError(f"the wheels of {config.function.name} do not go with this box: {reasons}")


def _check_artifacts(config: BundleConfig) -> None:
    served = {entry.model for entry in capability.available(config.artifacts)}
    if unserved := {model.spec.name for model in config.models} - served:
        lacking = [entry for entry in config.artifacts if entry.model in unserved]
        reasons = "; ".join(map(str, capability.refusals(lacking).values()))
        raise DeploymentRefused(f"{config.function.name} has no artifact that runs here: {reasons}")
