"""`AotInductorLowering`: model.so, compiled by g++ with the instructions that the target's profile has, and no others.

model.json beside it names the operators of torch that it calls. Importing this module does not import torch.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from edgefn.backends.aotinductor.backend import FILE
from edgefn.backends.pytorch import record
from edgefn.compile.lower.aotinductor.instructions import instructions
from edgefn.compile.lower.lowering import Lowered
from edgefn.errors import BuildError
from edgefn.targets import facts
from edgefn.targets.profiles import profiles

if TYPE_CHECKING:
    from pathlib import Path

    from edgefn.compile.lower.aotinductor.instructions import Instructions
    from edgefn.compile.lower.lowering import Captured
    from edgefn.targets.probe import Probe
    from edgefn.targets.profile import Processor
    from edgefn.targets.profiles import Target


class AotInductorLowering:
    """The lowering called "aotinductor"; it needs g++."""

    name = "aotinductor"

    def probe(self) -> Probe:
        """Tell whether torch is installed; read its metadata, never import it. `lower` says where g++ is missing."""
        return record.probe()

    def lower(self, captured: Captured, target: Target, folder: Path) -> Lowered:
        """Write `model.so` and its record into `folder`.

        Raise BuildError where g++ is missing, this machine is no CPU of the profile, or the program does not compile.
        """
        what = f"model {captured.model.name}, target {target}"
        if target.precision != "fp32":
            raise BuildError(f"aotinductor has no {target.precision}, so it does not build the target {target}")
        cpu = profiles(captured.profiles)[target.profile].cpu
        chosen = _instructions(cpu, what)
        from edgefn.compile.capture import operators
        from edgefn.compile.lower.aotinductor import compiler, recurrent

        operators.check_none_foreign(captured.program, what)
        recurrent.check_unrolls(captured.program, what)
        compiler.compile_library(captured.program, chosen, folder / FILE, what)
        record.write(folder, captured.model, cpu.features, (folder / FILE).stat().st_size)
        return Lowered({"torch": record.installed(), "march": chosen.march})


def _instructions(cpu: Processor, what: str) -> Instructions:
    chosen = instructions(cpu.arch, cpu.features) if cpu.arch == platform.machine() else None
    if chosen is None:
        raise BuildError(
            f"{what}: aotinductor compiles for {platform.machine()} here, and the profile's CPU is "
            f"{cpu.arch or 'any'}; build it on such a machine, or leave this target out of --target"
        )
    if missing := sorted(set(cpu.features) - facts.features(facts.cpuinfo())):
        raise BuildError(
            f"{what}: torch writes vectors of this machine's CPU only, which has no {', '.join(missing)}; "
            "build it on such a machine, or leave this target out of --target"
        )
    return chosen
