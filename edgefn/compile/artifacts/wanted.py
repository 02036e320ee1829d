"""Which targets a build is for: the names that were given, groups spelled out, the portable one always among them.

Pure. Never asks whether a backend is installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgefn.targets import groups, profiles
from edgefn.targets.groups import PORTABLE
from edgefn.targets.matcher import MachineFacts
from edgefn.targets.profiles import Target


@dataclass(frozen=True)
class Wanted:
    """A target of a build; `named` when somebody asked for this very one, not for a group that it is in."""

    target: Target
    named: bool


def expand_targets(names: Iterable[str], facts: MachineFacts, folder: Path | None = None) -> tuple[Wanted, ...]:
    """Expand `names` to targets, each once, with `portable/fp32` first.

    `folder` holds a project's own profiles. `facts` describe the machine that `all-native` means. Raise SpecError for a
    name that is neither a target nor a group.
    """
    known = profiles.targets(folder)
    found = {PORTABLE: Wanted(known[PORTABLE], named=True)}
    for name in names:
        for target in groups.members(name, facts, folder):
            before = found.get(str(target))
            named = name in known or (before is not None and before.named)
            found[str(target)] = Wanted(target, named)
    return tuple(found.values())
