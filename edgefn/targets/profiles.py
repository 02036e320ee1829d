"""The hardware profiles, read from the TOML files beside this module: which targets there are.

A profile's file is <name>.toml; its keys are the fields of `Profile`, all required, no others:

    description   one line for people
    backend       the inference stack that lowers for it, a name that `edgefn.backends.get` knows
    precisions    what it can be lowered to; a target is <name>/<precision>

Never looks at the machine it runs on.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from edgefn.errors import SpecError
from edgefn.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of hardware that models are lowered for."""

    description: str
    backend: str
    precisions: tuple[str, ...]


class Target(msgspec.Struct, frozen=True):
    """A profile and a precision, written "portable/fp32"."""

    profile: str
    precision: str
    backend: str

    def __str__(self) -> str:
        return f"{self.profile}/{self.precision}"


@cache
def profiles() -> Mapping[str, Profile]:
    """Every profile by name."""
    files = sorted(Path(__file__).parent.glob("*.toml"))
    return MappingProxyType(
        {file.stem: msgspec.convert(tomllib.loads(file.read_text("utf-8")), Profile) for file in files}
    )


def targets() -> Mapping[str, Target]:
    """Every target by its name."""
    return {
        f"{name}/{precision}": Target(name, precision, profile.backend)
        for name, profile in profiles().items()
        for precision in profile.precisions
    }


def target(name: str, *, what: str = "target") -> Target:
    """The target of that name. Raises SpecError naming `what` and the nearest target there is."""
    known = targets()
    if name not in known:
        raise SpecError(f"{what} {name!r} is not known{did_you_mean(name, known)}")
    return known[name]
