"""Names in edgefn.toml and on the command line, as targets: one target, all of a profile, or all for this machine.

    x86-64-v3/int8@openvino    that target
    x86-64-v3/*                every target of the profile
    all-native                 portable/fp32, and every target of the most specific profile that this machine satisfies

Pure: the machine's facts come as an argument.
"""

from __future__ import annotations

from pathlib import Path

from edgefn.errors import SpecError
from edgefn.targets import profiles
from edgefn.targets.matcher import MachineFacts, unfit
from edgefn.targets.profile import Profile, Target

ALL_NATIVE = "all-native"
PORTABLE = "portable/fp32"


def members(name: str, facts: MachineFacts, folder: Path | None = None, *, what: str = "target") -> tuple[Target, ...]:
    """Expand `name` to its targets, whether they can be built here or not.

    Raise SpecError with `what` and the nearest name when it is neither a target nor a group.
    """
    known = profiles.profiles(folder)
    profile, _, precision = name.partition("/")
    if name == ALL_NATIVE:
        best = native(facts, folder)
        found = profiles.targets_of(best, known[best]) if best else ()
        return (
            profiles.target(PORTABLE),
            *(one for one in found if unfit(profiles.needs_of(one, folder), facts) is None),
        )
    if precision == "*" and profile in known:
        return profiles.targets_of(profile, known[profile])
    try:
        return (profiles.target(name, what=what, folder=folder),)
    except SpecError:
        choices = [ALL_NATIVE, *(f"{one}/*" for one in known), *profiles.targets(folder)]
        raise profiles.unknown(name, what, choices, folder) from None


def check(name: str, *, what: str = "target", folder: Path | None = None) -> None:
    """Raise SpecError when `name` is neither a target nor a group; it has `what` and the nearest name."""
    members(name, MachineFacts(""), folder, what=what)


def native(facts: MachineFacts, folder: Path | None = None) -> str:
    """Return the most specific profile for a machine of these facts; "" when only portable fits.

    A profile with an accelerator is more specific than one without, then the one that asks for more CPU features.
    """
    fitting = [
        (_weight(profile), name)
        for name, profile in profiles.profiles(folder).items()
        if profile.cpu.arch and unfit(profiles.requirements(profile), facts) is None
    ]
    return max(fitting, default=((False, 0), ""))[1]


def _weight(profile: Profile) -> tuple[bool, int]:
    return bool(profile.accelerator and profile.accelerator.device), len(profile.cpu.features)
