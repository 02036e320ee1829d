"""The wheels layer: the wheels of a function's requirements.txt, resolved for the box and pinned, at build time.

Owns all steps from requirements.txt to a site-packages tree and its pins. Nothing is resolved on a box, and no
distribution that the box provides is put into the layer.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn.bundle.config import Wheel
from edgefn.bundle.packages.pip import download
from edgefn.bundle.packages.provided import clashes, meets, provided_here
from edgefn.bundle.packages.requirements import RequirementLine, check_provided, check_wheels, read_lines
from edgefn.bundle.packages.sitepackages import lay_out, requires, tags
from edgefn.errors import BuildError
from edgefn.targets.platforms import check_platform, check_python, marker_environment

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["clashes", "needs", "resolve"]


def resolve(
    requirements: Path, python: str, platform: str, folder: Path, *, provided: Mapping[str, str] | None = None
) -> tuple[Wheel, ...]:
    """Resolve `requirements` for that Python and platform into `folder`; return the pins.

    `folder` gets the site-packages.

    `provided` are the distributions of the box (name → version), by default those installed here. Asks the index that
    pip is configured for. Raise BuildError where there is no wheel or one clashes with a provided distribution,
    SpecError for an invalid Python or platform.
    """
    environment = marker_environment(check_python(python), check_platform(platform))
    provided = provided_here() if provided is None else provided
    lines = read_lines(requirements)
    check_wheels(lines, requirements)
    check_provided(lines, provided, requirements)
    if all(_is_provided(line, provided) for line in lines):
        return ()
    with tempfile.TemporaryDirectory(prefix="edgefn-wheels-") as scratch:
        files = download(requirements, python, platform, provided, Path(scratch))
        found = [_Found.read(file, environment) for file in files]
        _check_complete(lines, found, provided, environment, requirements)
        for wheel in found:
            lay_out(wheel.file, folder)
        return tuple(sorted((wheel.pin(provided) for wheel in found), key=lambda pin: pin.name))


def needs(folder: Path, python: str, platform: str) -> tuple[str, str]:
    """Return the (python, platform) that the site-packages tree in `folder` ties the bundle to.

    Any wheel ties it to the Python that it was resolved for; compiled code to the platform too, else "any".
    """
    found = tags(folder)
    if not found:
        return "", "any"
    return python, "any" if all(tag.endswith("-any") for tag in found) else platform


def _is_provided(line: RequirementLine, provided: Mapping[str, str]) -> bool:
    return line.requirement is not None and _name(line.requirement) in provided


def _name(requirement: Requirement) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(requirement.name)


@dataclass(frozen=True)
class _Found:
    """A fetched wheel, and its requirements that hold on the target."""

    file: Path
    name: str
    version: str
    requires: tuple[Requirement, ...]

    @classmethod
    def read(cls, file: Path, environment: Mapping[str, str]) -> _Found:
        from packaging.requirements import Requirement
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        try:
            name, version, _, _ = parse_wheel_filename(file.name)
        except InvalidWheelFilename:
            raise BuildError(
                f"{file.name} is not a wheel, but a function takes only wheels: build it with `pip wheel`"
            ) from None
        own = (Requirement(text) for text in requires(file))
        return cls(file, name, str(version), tuple(need for need in own if _holds(need, environment)))

    def pin(self, provided: Mapping[str, str]) -> Wheel:
        asked = {f"{_name(need)}{need.specifier}" for need in self.requires if _name(need) in provided}
        digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        return Wheel(self.name, self.version, digest, tuple(sorted(asked)))


def _holds(requirement: Requirement, environment: Mapping[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(dict(environment))


def _check_complete(
    lines: Iterable[RequirementLine],
    found: Iterable[_Found],
    provided: Mapping[str, str],
    environment: Mapping[str, str],
    requirements: Path,
) -> None:
    """Check that the wheels meet all requirements on the target's Python. Raise BuildError.

    pip evaluates markers for the Python that runs it, not for the target.
    """
    there = {**provided, **{wheel.name: wheel.version for wheel in found}}
    direct = [line.requirement for line in lines if line.requirement and _holds(line.requirement, environment)]
    askers = [(str(requirements), direct), *((wheel.file.name, wheel.requires) for wheel in found)]
    for asker, wanted in askers:
        for need in wanted:
            if not need.url and not meets(f"{_name(need)}{need.specifier}", there):
                raise BuildError(
                    f"{asker} needs {need} on the box's Python {environment['python_version']}, but pip runs on "
                    f"another Python and found {there.get(_name(need), 'nothing')}: add it to {requirements.name}, or "
                    "build with the box's Python"
                )
