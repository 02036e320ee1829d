"""Which layers of isolation a box must enforce to take deployments. Decides; `child.sandbox` enforces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from edgefn.errors import DeploymentRefused

LAYERS: Final = {
    "namespaces": "its own mounts, System V objects and network",
    "own_pids": "a PID namespace: it sees no other process, and all its processes end with the box",
    "own_root": "its own root directory, with only the files of the machine that it needs",
    "tmp": "a private tmp of limited size",
    "own_user": "its own user",
    "capabilities": "no capabilities",
    "file_size": "a size limit for each file that it writes",
    "files": "Landlock: only the files that it needs",
    "tcp": "no TCP without network=True",
    "signals": "no signals to other processes",
    "system_calls": "seccomp: only the system calls that it needs",
    "dies_with_box": "its processes end with the box",
    "memory": "a memory limit for all its processes together",
    "processes": "a limit for the number of its processes",
    "cpu": "a fair share of the CPU",
}
"""By name, as in `--allow-missing`, `status` and `edgefn box info`: what the layer gives a function."""

REQUIRED: Final = (("namespaces",), ("system_calls",), ("own_root", "files"))
"""One layer of each is the least that --require-isolation asks for."""


class Requirement(NamedTuple):
    """With `required`, the least must be there. `allowed` are the layers that the operator does without, in words."""

    required: bool = False
    allowed: tuple[str, ...] = ()

    def missing(self, found: Mapping[str, bool | str]) -> dict[str, str]:
        """Return the layers that are not enforced and not allowed to be missing, with why."""
        return {name: str(how) for name, how in found.items() if how is not True and name not in self.allowed}

    def lost(self, before: Mapping[str, bool | str], found: Mapping[str, bool | str]) -> dict[str, str]:
        """Return the layers that were enforced `before` and are not by what is `found` now, with why.

        Those that the operator does without are not among them.
        """
        return {name: why for name, why in self.missing(found).items() if before.get(name) is True}

    def refusal(self, found: Mapping[str, bool | str]) -> str:
        """Return why nothing may be deployed with what was found; "" where it may."""
        if not self.required or not found:
            return ""
        lacking = [group for group in REQUIRED if not any(self._serves(name, found) for name in group)]
        if not lacking:
            return ""
        named = "; ".join(f"{name}: {found.get(name, 'unknown')}" for group in lacking for name in group)
        allow = " ".join(f"--allow-missing {group[-1]}" for group in lacking)
        return (
            f"this box cannot isolate functions as required ({named}), so it refuses deployments: run it on a kernel "
            f"that supports this, or accept less isolation with {allow}"
        )

    def check(self, found: Mapping[str, bool | str]) -> None:
        """Raise DeploymentRefused where nothing may be deployed."""
        if refusal := self.refusal(found):
            raise DeploymentRefused(refusal)

    def _serves(self, name: str, found: Mapping[str, bool | str]) -> bool:
        return found.get(name) is True or name in self.allowed


NOTHING: Final = Requirement()
