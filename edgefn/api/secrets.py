"""The names of what a box keeps sealed."""

from __future__ import annotations

import msgspec


class SecretInfo(msgspec.Struct, frozen=True):
    """The public facts about a secret, without its value."""

    name: str
    sealed_by: str = ""
    set_at: str = ""


class SecretList(msgspec.Struct, frozen=True):
    """The secrets of a box, by name."""

    secrets: list[SecretInfo]
