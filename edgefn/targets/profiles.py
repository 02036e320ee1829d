"""The hardware profiles, read from TOML files: which targets there are.

A profile's file is <name>.toml; its tables are the fields of `Profile`, no others. Those beside this module are
edgefn's; a project adds its own in its folder `targets/`.

Never looks at the machine it runs on: `edgefn.targets.matcher` compares.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import msgspec

from edgefn.errors import SpecError
from edgefn.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

Verified = Literal["native", "emulated", "simulator", "built-only", "none"]
"""How artifacts were tried: on such hardware, under an emulator of its instructions, in the vendor's simulator, built
and inspected only, or not at all."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A table of a profile's file; keys are written with hyphens."""


class Processor(_Table, frozen=True):
    """A CPU. `arch` as `platform.machine()` says it; `features` are flags of /proc/cpuinfo that it must have."""

    arch: str = ""
    features: tuple[str, ...] = ()


class Accelerator(_Table, frozen=True):
    """An NPU, GPU or FPGA beside the CPU. `device` is the node that its driver makes, e.g. /dev/rknpu."""

    name: str
    kind: Literal["npu", "gpu", "fpga", "dsp"]
    generation: str = ""
    device: str = ""
    driver: str = ""


class Runtime(_Table, frozen=True):
    """An inference stack on the profile, by its backend's name, and what it can do there.

    precisions     what it can be lowered to; a target is <profile>/<precision>
    versions       of the runtime library, as a PEP 440 specifier; "" for any
    opset          (lowest, highest) ONNX opset that it reads; () where it reads no ONNX
    static_shapes  symbolic dimensions become the sizes of the samples
    """

    backend: str
    precisions: tuple[str, ...]
    library: str = ""
    versions: str = ""
    opset: tuple[int, ...] = ()
    static_shapes: bool = False
    verified: Verified = "none"


class Memory(_Table, frozen=True):
    """Memory of such a machine, in bytes; `bandwidth` in bytes a second; 0 where it is not known."""

    size: int = 0
    bandwidth: int = 0


class Power(_Table, frozen=True):
    """The power envelope in watts; 0 where it is not known."""

    idle: float = 0.0
    most: float = 0.0


class Profile(_Table, frozen=True):
    """One kind of hardware that models are lowered for.

    `tops` are 10^12 operations a second by precision. `sources` say where a figure is from, by its dotted key.
    """

    description: str
    runtimes: tuple[Runtime, ...]
    cpu: Processor = Processor()
    accelerator: Accelerator | None = None
    memory: Memory = Memory()
    tops: dict[str, float] = {}
    power: Power = Power()
    sources: dict[str, str] = {}


class Target(msgspec.Struct, frozen=True):
    """A profile, a precision and the backend that lowers for them.

    Written "x86-64-v3/int8" when the backend is the first of the profile's runtimes that has the precision, else
    "x86-64-v3/int8@openvino".
    """

    profile: str
    precision: str
    backend: str
    default: bool = True

    def __str__(self) -> str:
        return f"{self.profile}/{self.precision}{'' if self.default else f'@{self.backend}'}"


@cache
def profiles(folder: Path | None = None) -> Mapping[str, Profile]:
    """Every profile by name: edgefn's, and those of a project's `folder`."""
    read = {file.stem: tomllib.loads(file.read_text("utf-8")) for file in _files(folder)}
    return MappingProxyType({name: msgspec.convert(tables, Profile) for name, tables in read.items()})


def _files(folder: Path | None) -> list[Path]:
    own = sorted(Path(__file__).parent.glob("*.toml"))
    return own if folder is None else [*own, *sorted(folder.glob("*.toml"))]


@cache
def targets(folder: Path | None = None) -> Mapping[str, Target]:
    """Every target by its name; a default backend's also by the name that spells the backend out."""
    found: dict[str, Target] = {}
    for name, profile in profiles(folder).items():
        for runtime in profile.runtimes:
            for precision in runtime.precisions:
                target = Target(name, precision, runtime.backend, f"{name}/{precision}" not in found)
                found.setdefault(str(target), target)
    return MappingProxyType(found)


def target(name: str, *, what: str = "target", folder: Path | None = None) -> Target:
    """The target of that name. Raises SpecError naming `what` and the nearest target there is."""
    known = targets(folder)
    if name not in known:
        raise SpecError(f"{what} {name!r} is not known{did_you_mean(name, known)}")
    return known[name]


def runtime_of(target: Target, folder: Path | None = None) -> Runtime:
    """What the target's backend can do on its profile."""
    runtimes = profiles(folder)[target.profile].runtimes
    return next(one for one in runtimes if one.backend == target.backend and target.precision in one.precisions)
