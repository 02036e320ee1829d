"""Whether this box can serve a bundle: Python, platform, wheels, memory, devices, artifacts.

Reads the installed libraries from metadata; never imports an engine, and never looks at a golden sample.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache

import msgspec

from edgefn import backends
from edgefn.backends.backend import Probe
from edgefn.bundle.config import ArtifactEntry, BundleConfig
from edgefn.bundle.packages import provided
from edgefn.errors import BundleError, DeploymentRefused
from edgefn.system import machine
from edgefn.targets import profiles
from edgefn.targets.facts import this_machine as facts
from edgefn.targets.matcher import TargetRefusal, refusal
from edgefn.text.quantities import format_bytes
from edgefn_runtime.artifacts import ranking
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
            f"{name} was built for Python {config.python}, but this box runs {here.python}: build it for the box's "
            "Python"
        )
    if config.platform not in here.platforms:
        raise BundleError(
            f"{name} has wheels for {config.platform}, but this box is {min(here.platforms - {'any'}, key=len)}: "
            "build it for the box's platform"
        )
    if config.function.memory_bytes > here.memory_bytes:
        raise DeploymentRefused(
            f"{name} asks for {format_bytes(config.function.memory_bytes)} for each instance, but this box has "
            f"{format_bytes(here.memory_bytes)} in all: lower `memory`, or use a larger box"
        )
    if why := devices.lacking(config.function.devices):
        raise DeploymentRefused(f"{name} needs a device: {why}")
    _check_wheels(config)
    _check_artifacts(config)


def _check_wheels(config: BundleConfig) -> None:
    if found := provided.clashes(config.wheels, provided.provided_here()):
        reasons = "; ".join(str(TargetRefusal(**clash)) for clash in found)
        raise BundleError(f"the wheels of {config.function.name} do not fit this box: {reasons}")


def available(artifacts: Iterable[ArtifactEntry]) -> tuple[ArtifactEntry, ...]:
    """Return the artifacts of `artifacts` that this box can run."""
    artifacts = tuple(artifacts)
    here = facts(*ranking.libraries(artifacts))
    return tuple(entry for entry in artifacts if ranking.refusal(entry, _probe, here) is None)


def refusals(artifacts: Iterable[ArtifactEntry]) -> dict[str, TargetRefusal]:
    """Return the reason for each artifact that this box cannot run, by `ArtifactEntry.path`."""
    artifacts = tuple(artifacts)
    here = facts(*ranking.libraries(artifacts))
    found = {entry.path: ranking.refusal(entry, _probe, here) for entry in artifacts}
    return {path: why for path, why in found.items() if why is not None}


def _check_artifacts(config: BundleConfig) -> None:
    served = {entry.model for entry in available(config.artifacts)}
    if unserved := {model.spec.name for model in config.models} - served:
        lacking = [entry for entry in config.artifacts if entry.model in unserved]
        reasons = "; ".join(map(str, refusals(lacking).values()))
        raise DeploymentRefused(f"{config.function.name} has no artifact that runs on this box: {reasons}")


def targets() -> tuple[list[str], list[TargetRefusal]]:
    """Return the targets of edgefn's profiles that this box satisfies, and the refusals of the others."""
    here = facts()
    found = {
        name: refusal(name, profiles.needs_of(one), here, one.backend, _probe)
        for name, one in profiles.targets().items()
    }
    return [name for name, why in found.items() if why is None], [why for why in found.values() if why is not None]


def look_again() -> None:
    """Clear the cached facts about installed libraries, so that the next question reads them again.

    Call it when a library is gone, or may be new.
    """
    _probe.cache_clear()
    backends.look_again()
    facts.cache_clear()


@cache
def _probe(backend: str) -> Probe:
    return backends.get(backend).probe()
