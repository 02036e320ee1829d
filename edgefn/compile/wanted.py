"""Which targets a build is for: the names that were given, groups spelled out, the portable one always among them.

Owns what a group stands for on this machine. Never asks whether a backend is installed.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgefn.targets import profiles
from edgefn.targets.profiles import Profile, Target

ALL_NATIVE = "all-native"
"""The portable target, and every one of the most specific profile that this machine satisfies."""

GROUPS = (ALL_NATIVE,)
"""Names that stand for several targets at once."""

PORTABLE = "portable/fp32"
"""In every bundle, so that a box always has something to fall back on."""


@dataclass(frozen=True)
class Processor:
    """This machine's: `arch` as `platform.machine()` says it, `flags` as /proc/cpuinfo does."""

    arch: str
    flags: frozenset[str]

    @classmethod
    def here(cls) -> Processor:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        listed = (line.partition(":")[2] for line in lines if line.partition(":")[0].strip() in ("flags", "Features"))
        return cls(platform.machine(), frozenset(next(listed, "").split()))


@dataclass(frozen=True)
class Wanted:
    """A target of a build; `named` when somebody asked for this very one, not for a group that it is in."""

    target: Target
    named: bool


def expand_targets(names: Iterable[str], processor: Processor, folder: Path | None = None) -> tuple[Wanted, ...]:
    """What `names` stand for, each once, `portable/fp32` first; `folder` holds a project's own profiles.

    Raises SpecError for a name that is neither a target nor a group.
    """
    known = profiles.targets(folder)
    found = {PORTABLE: Wanted(known[PORTABLE], named=True)}
    for name in names:
        if name in GROUPS:
            for target in native(processor, folder):
                found.setdefault(str(target), Wanted(target, named=False))
        else:
            target = profiles.target(name, folder=folder)
            found[str(target)] = Wanted(target, named=True)
    return tuple(found.values())


def native(processor: Processor, folder: Path | None = None) -> list[Target]:
    """The targets of the most specific profile of a CPU that `processor` satisfies, in the profile's order."""
    fitting = {name: one for name, one in profiles.profiles(folder).items() if _fits(one, processor)}
    if not fitting:
        return []
    best = max(fitting, key=lambda name: (len(fitting[name].cpu.features), name))
    return list(dict.fromkeys(one for one in profiles.targets(folder).values() if one.profile == best))


def _fits(profile: Profile, processor: Processor) -> bool:
    return (
        profile.accelerator is None
        and profile.cpu.arch == processor.arch
        and processor.flags.issuperset(profile.cpu.features)
    )
