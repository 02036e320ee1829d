"""A hardware profile, as data, and how a target is written. Never reads a file, never looks at a machine."""

from __future__ import annotations

from typing import Literal

import msgspec

Verified = Literal["native", "emulated", "simulator", "built-only", "none"]
"""How artifacts were tried: on such hardware, under an emulator of its instructions, in the vendor's simulator, built
and inspected only, or not at all."""

PRECISIONS = ("fp32", "fp16", "bf16", "int16", "int8", "int4")


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
    features       flags of /proc/cpuinfo that it needs beside those of the profile's CPU
    static_shapes  symbolic dimensions become the sizes of the samples
    """

    backend: str
    precisions: tuple[str, ...]
    library: str = ""
    versions: str = ""
    opset: tuple[int, ...] = ()
    features: tuple[str, ...] = ()
    static_shapes: bool = False
    verified: Verified = "none"


class ProfileMemory(_Table, frozen=True):
    """Memory of such a machine, in bytes; `bandwidth` in bytes a second; 0 where it is not known."""

    size: int = 0
    bandwidth: int = 0


class Power(_Table, frozen=True):
    """The power envelope in watts; 0 where it is not known."""

    idle: float = 0.0
    most: float = 0.0


class Profile(_Table, frozen=True):
    """One kind of hardware that models are lowered for.

    `tops` are 10^12 operations a second by precision. `sources` has the source of a figure, by its dotted key.
    """

    description: str
    runtimes: tuple[Runtime, ...]
    cpu: Processor = Processor()
    accelerator: Accelerator | None = None
    memory: ProfileMemory = ProfileMemory()
    tops: dict[str, float] = {}
    power: Power = Power()
    sources: dict[str, str] = {}

    def runtime(self, backend: str, precision: str) -> Runtime | None:
        """Return the runtime of that backend that has the precision, or None."""
        return next((one for one in self.runtimes if one.backend == backend and precision in one.precisions), None)


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
