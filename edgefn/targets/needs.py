"""What an artifact asks of the machine that runs it. In a bundle's config, so that a box needs no profile's file."""

from __future__ import annotations

import msgspec


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
