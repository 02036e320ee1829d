"""What an artifact asks of the machine that runs it. In a bundle's config, so that a box needs no profile's file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import msgspec

BOUND_TO_RELEASE = frozenset({"torch"})
"""Libraries whose artifacts load in the minor release that made them, and are refused by the next."""


class Needs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a machine must have for a target; what is empty is not asked for.

    arch, features       of the CPU, as in a profile's [cpu]
    accelerator, device  the accelerator's name, and the node that its driver makes
    library, versions    the runtime's distribution, and the PEP 440 specifier of those that will do
    """

    arch: str = ""
    features: tuple[str, ...] = ()
    accelerator: str = ""
    device: str = ""
    library: str = ""
    versions: str = ""

    def as_made(self, toolchain: Mapping[str, str]) -> Self:
        """Return the needs of an artifact that `toolchain` (versions by distribution) made: of its very release."""
        made = toolchain.get(self.library, "")
        if self.library not in BOUND_TO_RELEASE or made.count(".") < 1:
            return self
        return msgspec.structs.replace(self, versions=f"=={'.'.join(made.split('.')[:2])}.*")
