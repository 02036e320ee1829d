"""The known hardware profiles and targets: edgefn's own, beside this module, and those of a project's folder.

A profile's file is <name>.toml; its tables are the fields of `Profile`, no others. Never looks at the machine it runs
on: `edgefn.targets.matcher` compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from edgefn.errors import SpecError
from edgefn.targets.needs import Needs
from edgefn.targets.profile import Profile, Runtime, Target
from edgefn.targets.reading import read
from edgefn.text import suggestion

__all__ = ["Profile", "Runtime", "Target", "libraries", "needs_of", "profiles", "runtime_of", "target", "targets"]

FOLDER = "targets"
"""Of a project's own profiles, beside its edgefn.toml."""


@cache
def _own() -> Mapping[str, Profile]:
    return MappingProxyType(_read(Path(__file__).parent))


def profiles(folder: Path | None = None) -> Mapping[str, Profile]:
    """Return every profile by name: edgefn's own, and those of a project's `folder`.

    The folder may be missing. Raise SpecError for an invalid file, and for a name that edgefn has already.
    """
    if folder is None:
        return _own()
    further = _read(folder)
    for name in further.keys() & _own().keys():
        raise SpecError(f"{folder / name}.toml: edgefn has a profile {name!r} of its own: give yours another name")
    return {**_own(), **further}


def _read(folder: Path) -> dict[str, Profile]:
    return {file.stem: read(file) for file in sorted(folder.glob("*.toml"))}


def targets(folder: Path | None = None) -> Mapping[str, Target]:
    """Return every target by its name."""
    return {str(one): one for name, profile in profiles(folder).items() for one in targets_of(name, profile)}


def targets_of(name: str, profile: Profile) -> tuple[Target, ...]:
    """Return the targets of profile `name`, in the order of its file."""
    found: dict[str, Target] = {}
    for runtime in profile.runtimes:
        for precision in runtime.precisions:
            one = Target(name, precision, runtime.backend, f"{name}/{precision}" not in found)
            found[str(one)] = one
    return tuple(found.values())


def target(name: str, *, what: str = "target", folder: Path | None = None) -> Target:
    """Return the target of that name, which may include the default backend.

    Raise SpecError with `what` and the nearest target.
    """
    known = targets(folder)
    short, _, backend = name.partition("@")
    if name in known:
        return known[name]
    if short in known and known[short].backend == backend:
        return known[short]
    raise unknown(name, what, known, folder)


def unknown(name: str, what: str, choices: Iterable[str], folder: Path | None = None) -> SpecError:
    """Make the error for a `name` that is none of `choices`.

    It names the nearest choice; where the profile is known, it lists the profile's targets.
    """
    profile, slash, _ = name.partition("/")
    known = profiles(folder)
    if not slash or profile not in known:
        return SpecError(f"{what} {name!r} is not known{nearest(name, choices)}")
    own = [str(one) for one in targets_of(profile, known[profile])]
    return SpecError(
        f"{what} {name!r} is not known{suggestion.nearest(name, own) or ':'} {profile} has {', '.join(own)}"
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean "portable/fp32"?', or where to look when no name is near.

    There are too many names to list.
    """
    return suggestion.nearest(name, known) or "; see `edgefn targets`, e.g. portable/fp32"


def runtime_of(target: Target, folder: Path | None = None) -> Runtime:
    """Return the runtime of the target's backend on its profile."""
    found = profiles(folder)[target.profile].runtime(target.backend, target.precision)
    assert found is not None  # the target is of that profile
    return found


def needs_of(target: Target, folder: Path | None = None) -> Needs:
    """Return the target's needs of the machine that runs it."""
    return requirements(profiles(folder)[target.profile], runtime_of(target, folder))


def requirements(profile: Profile, runtime: Runtime | None = None) -> Needs:
    """Return the profile's needs of a machine, and with a runtime the runtime's needs besides."""
    accelerator = profile.accelerator
    return Needs(
        arch=profile.cpu.arch,
        features=(*profile.cpu.features, *(runtime.features if runtime else ())),
        accelerator=accelerator.name if accelerator else "",
        device=accelerator.device if accelerator else "",
        library=runtime.library if runtime else "",
        versions=runtime.versions if runtime else "",
    )


@cache
def libraries() -> frozenset[str]:
    """List the distributions that the runtimes of edgefn's own profiles need."""
    return frozenset(one.library for profile in _own().values() for one in profile.runtimes if one.library)
