"""Which layers of isolation a box must enforce to take deployments. Decides; `child.sandbox` enforces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from edgefn.errors import DeploymentRefused

LAYERS: Final = {
    "namespaces": "mounts, System V objects and a network of its own",
    "own_pids": "a PID namespace: no other process is seen, and all end with the box",
    "own_root": "a root of its own: nothing of the machine's files that it does not need is there",
    "tmp": "a private, bounded tmp",
    "own_user": "a user of its own",
    "capabilities": "no capability",
    "file_size": "a bound on each file that it writes",
    "files": "Landlock: which files it may reach",
    "tcp": "no TCP without network=True",
    "signals": "no signal to others",
    "system_calls": "seccomp: the system calls that it needs",
    "dies_with_box": "its end with the box",
    "memory": "a bound on the memory of all its processes together",
    "processes": "a bound on the number of its processes",
    "cpu": "a fair share of the processors",
}
"""By name, as `--allow-missing`, `status` and `edgefn box info` have them: what the layer gives a function."""

LEAST: Final = (("namespaces",), ("system_calls",), ("own_root", "files"))
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
        lacking = [group for group in LEAST if not any(self._serves(name, found) for name in group)]
        if not lacking:
            return ""
        named = "; ".join(f"{name}: {found.get(name, 'unknown')}" for group in lacking for name in group)
        allow = " ".join(f"--allow-missing {group[-1]}" for group in lacking)
        return (
            f"this box does not isolate functions as it must ({named}), so nothing can be deployed to it: "
            f"run it where the kernel allows that, or say with {allow} that you do without"
        )

    def check(self, found: Mapping[str, bool | str]) -> None:
        """Raise DeploymentRefused where nothing may be deployed."""
        if refusal := self.refusal(found):
            raise DeploymentRefused(refusal)

    def _serves(self, name: str, found: Mapping[str, bool | str]) -> bool:
        return found.get(name) is True or name in self.allowed


NOTHING: Final = Requirement()
