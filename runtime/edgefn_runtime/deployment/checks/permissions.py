"""The permissions that a function asks for beyond its sandbox, and the operator's grants.

A bundle asks in its config; only the operator grants (`edgefn box allow`), by the function's name, so a grant holds for
its later revisions too. A box in development mode grants every request, for as long as it runs. Decides;
starts and stops nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from edgefn.api.grants import Grant
from edgefn.errors import DeploymentRefused, InputError
from edgefn.spec import NAME_PATTERN, FunctionSpec

DEVELOPMENT = "--dev"
"""Who grants in development mode."""

KEPT = "kept"
"""The grantor of permissions from before grants existed: nobody, the function was deployed with them."""


STANDING = "box.toml"
"""The grantor of permissions in the box's configuration."""


class Permission(msgspec.Struct, frozen=True, order=True):
    """One thing that a function may have: a kind and a value, "" where the kind has only one."""

    kind: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.value}".rstrip()


class Store(Protocol):
    """Where grants are stored: the database."""

    def granted(self, function: str = "") -> list[Grant]:
        """Return the grants of `function`, or of all."""


class _Kind(msgspec.Struct, frozen=True):
    """How a spec asks for a kind, which values the kind has ("" for none), and the answer to a wrong one."""

    asked: Callable[[FunctionSpec], Iterable[str]]
    values: re.Pattern[str]
    advice: str


_KINDS = {
    "network": _Kind(lambda spec: [""] if spec.network else [], re.compile(r""), "it takes no value"),
    "device": _Kind(
        lambda spec: spec.devices,
        re.compile(r"/dev/(?!.*(?:\.\.|//|/\.))[\w.+:/-]{1,240}(?<!/)", re.ASCII),
        "give the path of a node below /dev, e.g. /dev/video0",
    ),
}
"""Every kind of permission there is. What is new to be granted gets a row here and has all the rest."""

_LATER = ("call", "secret", "webhook", "sink")
"""Kinds that are known by name, and that no function can ask for yet."""


def read(kind: str, value: str = "") -> Permission:
    """Return the permission as an operator writes it. Raises InputError."""
    known = _KINDS.get(kind)
    if known is None:
        there_is = f"this edgefn grants {' and '.join(_KINDS)}"
        if kind in _LATER:
            raise InputError(f"functions cannot ask for {kind!r} yet: {there_is}", field="kind")
        raise InputError(f"{kind[:40]!r} cannot be granted: {there_is}", field="kind")
    if not known.values.fullmatch(value):
        raise InputError(f"cannot grant {kind} with the value {value[:80]!r}: {known.advice}", field="value")
    return Permission(kind, value)


def standing(texts: Iterable[str]) -> list[Grant]:
    """Parse the grants of a configuration, each "FUNCTION KIND" or "FUNCTION KIND VALUE".

    Raises InputError.
    """
    found = []
    for text in texts:
        name, _, rest = text.strip().partition(" ")
        kind, _, value = rest.strip().partition(" ")
        if not re.fullmatch(NAME_PATTERN, name):
            raise InputError(f'{text[:80]!r} is not a grant: write "FUNCTION KIND", e.g. "watch network"')
        permission = read(kind, value.strip())
        found.append(Grant(name, permission.kind, permission.value, "", STANDING))
    return found


def asked(spec: FunctionSpec) -> list[Permission]:
    """Return the permissions that the function asks for, in the order of the table."""
    return [Permission(kind, value) for kind, one in _KINDS.items() for value in one.asked(spec)]


class Permissions:
    """The grants of a box's functions: those in `store`, and those `configured` in box.toml.

    In `development` mode all that is asked for is granted.
    """

    def __init__(self, store: Store, *, configured: Iterable[str] = (), development: bool = False) -> None:
        self._store = store
        self._standing = standing(configured)
        self.development = development

    def granted(self, name: str = "") -> list[Grant]:
        """Return the grants of `name`, or of all, but for those of development mode."""
        there = [grant for grant in self._standing if name in ("", grant.function)]
        return [*there, *(grant for grant in self._store.granted(name) if grant.key not in {one.key for one in there})]

    def stands(self, name: str, permission: Permission) -> bool:
        """Tell whether the configuration grants it. Such a grant can be revoked only there."""
        return (name, permission.kind, permission.value) in {grant.key for grant in self._standing}

    def missing(self, spec: FunctionSpec) -> list[Permission]:
        """Return the permissions that the function asks for and that are not granted."""
        wanted = asked(spec)
        if not wanted or self.development:
            return []
        granted = {Permission(grant.kind, grant.value) for grant in self.granted(spec.name)}
        return [permission for permission in wanted if permission not in granted]

    def of(self, spec: FunctionSpec) -> list[Grant]:
        """Return the function's grants: those that are kept, and those of development mode."""
        kept = self.granted(spec.name)
        if not self.development:
            return kept
        there = {Permission(grant.kind, grant.value) for grant in kept}
        more = [permission for permission in asked(spec) if permission not in there]
        return [*kept, *(Grant(spec.name, one.kind, one.value, "", DEVELOPMENT) for one in more)]

    def require(self, spec: FunctionSpec) -> None:
        """Raise DeploymentRefused, with the commands that grant it, where something is missing."""
        if missing := self.missing(spec):
            raise DeploymentRefused(why_not(spec, missing))


def why_not(spec: FunctionSpec, missing: list[Permission]) -> str:
    """Explain why the function is not served, with the commands that grant the missing permissions."""
    granted = [str(one) for one in asked(spec) if one not in missing]
    has = f" ({', '.join(granted)} is granted)" if granted else ""
    for permission in missing:
        kind = _KINDS[permission.kind]
        if not kind.values.fullmatch(permission.value):
            return f"{spec.name} asks for {str(permission)[:80]!r}, which cannot be granted: {kind.advice}"
    commands = "; ".join(f"`edgefn box allow {spec.name} {permission}`" for permission in missing)
    wanted = ", ".join(map(str, asked(spec)))
    return f"{spec.name} asks for {wanted}{has}. To allow it, run on this box: {commands}"
