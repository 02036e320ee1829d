"""What the operator lets functions have beyond their sandbox."""

from __future__ import annotations

from typing import Annotated

import msgspec


class GrantRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A permission to grant or to revoke: its kind, and which one."""

    kind: Annotated[str, msgspec.Meta(max_length=40)]
    value: Annotated[str, msgspec.Meta(max_length=255)] = ""


class Grant(msgspec.Struct, frozen=True, order=True):
    """A permission of a function, with the time and the name of the actor that granted it."""

    function: str
    kind: str
    value: str = ""
    granted_at: str = ""
    granted_by: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what tells it from other grants: function, kind and value."""
        return self.function, self.kind, self.value

    @property
    def permission(self) -> str:
        """Return what is granted, as "network" or "device /dev/video0"."""
        return f"{self.kind} {self.value}".rstrip()


class GrantList(msgspec.Struct, frozen=True):
    """The grants of all functions."""

    grants: list[Grant]


class FunctionGrants(msgspec.Struct, frozen=True):
    """What a function asks for, and what it has been granted."""

    function: str
    asked: list[str] = []
    grants: list[Grant] = []
