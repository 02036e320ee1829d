"""The distributions that a box itself brings to a function: they never go into a wheels layer.

The build machine's versions constrain the resolution of a function's requirements; the box compares its own versions
with the needs of the wheels before it installs them. Never imports a distribution: reads metadata only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata

from edgefn.bundle.config import Wheel
from edgefn.errors import BundleError

# edgefn's own dependencies, and the engines: imported before user code, so another copy could not be used.
PROVIDED = ("edgefn", "msgspec", "numpy", "onnxruntime", "pillow", "python-multipart")

# Promised never to be on a box: the model's artifact runs there instead. Its wheels are gigabytes.
REFUSED = ("torch",)


def provided_here() -> dict[str, str]:
    """Return the version of each PROVIDED distribution that is installed on this machine."""
    found: dict[str, str] = {}
    for name in PROVIDED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def on_every_box() -> set[str]:
    """Return the distributions that every box has: edgefn, the needs of its runtime, and theirs in turn.

    Only those count that are installed on this machine: from others nothing is imported here.
    """
    found: set[str] = set()
    wanted = {*PROVIDED, *_needs("edgefn", "runtime")}
    while wanted:
        found |= wanted
        wanted = {need for name in wanted for need in _needs(name)} - found
    return found


def never_on_a_box(name: str) -> bool:
    """Tell whether the distribution `name` is one of REFUSED, or needs one."""
    return name in REFUSED or not _needs(name).isdisjoint(REFUSED)


def _needs(name: str, extra: str = "") -> set[str]:
    """Return the distributions that `name` needs on this machine, including those of its `extra`.

    Empty for a missing distribution.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    try:
        needs = [Requirement(need) for need in metadata.requires(name) or ()]
    except metadata.PackageNotFoundError:
        return set()
    wanted = (need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra}))
    return {canonicalize_name(need.name) for need in wanted}


def clashes(wheels: Iterable[Wheel], provided: Mapping[str, str]) -> list[dict[str, str]]:
    """List each need of `wheels` that a box with `provided` (name → version) does not meet.

    The members of each are artifact, needs, has and fix. Empty when all are met. Raise BundleError for a need that is
    not PEP 508.
    """
    return [_clash(wheel, need, provided) for wheel in wheels for need in wheel.requires if not meets(need, provided)]


def meets(need: str, provided: Mapping[str, str]) -> bool:
    """Tell whether `provided` has the distribution that `need` (PEP 508) names, in an accepted version.

    Raise BundleError for a need that is not PEP 508.
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion

    try:
        requirement = Requirement(need)
        version = provided.get(canonicalize_name(requirement.name))
        return version is not None and requirement.specifier.contains(version, prereleases=True)
    except (InvalidRequirement, InvalidVersion) as error:
        raise BundleError(f"{need!r} is not a valid requirement ({error}): build the bundle again") from None


def _clash(wheel: Wheel, need: str, provided: Mapping[str, str]) -> dict[str, str]:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    name = canonicalize_name(Requirement(need).name)
    has = f"{name} {provided[name]}" if name in provided else f"no {name}"
    fix = (
        f"require a version of {wheel.name} that accepts it in requirements.txt and build again, or update edgefn here"
    )
    return {"artifact": f"wheels/{wheel.name}-{wheel.version}", "needs": need, "has": has, "fix": fix}
