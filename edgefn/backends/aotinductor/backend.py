"""The backend called "aotinductor".

    lower    model.so, compiled by g++ with the instructions that the target's profile has, and no others; model.json
             where it calls operators of torch
    finish   the same files, linked
    load     refused on a CPU without those instructions, which would kill the process during a run

Importing this module does not import torch.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from edgefn.backends.aotinductor.instructions import instructions
from edgefn.backends.backend import Lowered, Probe
from edgefn.backends.pytorch import record
from edgefn.errors import BuildError, BundleError
from edgefn.targets import facts
from edgefn.targets.profiles import profiles

if TYPE_CHECKING:
    from pathlib import Path

    from edgefn.backends.aotinductor.instructions import Instructions
    from edgefn.backends.backend import Captured
    from edgefn.backends.pytorch.session import TorchSession
    from edgefn.targets.profile import Processor
    from edgefn.targets.profiles import Target

FILE = "model.so"
OPERATORS = "model.json"
"""The operators that the library calls in torch; an artifact without any has no such file."""


class AotInductor:
    """A network compiled ahead of time; the build machine needs g++, the box needs torch."""

    name = "aotinductor"
    fork_safe = True  # its loops are OpenMP's, which on one thread starts no other

    def probe(self) -> Probe:
        """Tell whether torch is installed; read its metadata, never import it. Only `lower` needs a compiler."""
        return record.probe()

    def warm_up(self) -> None:
        """Import torch and set it to one thread."""
        import torch

        torch.set_num_threads(1)

    def lower(self, captured: Captured, target: Target, folder: Path) -> Lowered:
        """Write `model.so` and its record into `folder`.

        Raise BuildError where g++ is missing, this machine is no CPU of the profile, or the program does not compile.
        """
        what = f"model {captured.model.name}, target {target}"
        if target.precision != "fp32":
            raise BuildError(f"aotinductor does not support {target.precision}, so it cannot build the target {target}")
        cpu = profiles(captured.profiles)[target.profile].cpu
        chosen = _instructions(cpu, what)
        from edgefn.backends.aotinductor import compiler
        from edgefn.backends.pytorch import operators, recurrent

        operators.check_none_foreign(captured.program, what)
        recurrent.check_unrolls(captured.program, what)
        compiler.compile_library(captured.program, chosen, folder / FILE, what)
        record.write(folder, captured.model, cpu.features)
        return Lowered({"torch": record.installed(), "march": chosen.march})

    def finish(self, portable: Path, folder: Path) -> None:
        """Link the files of `portable` into `folder`: they are compiled for the CPU already."""
        from edgefn.backends import linking

        listed = (OPERATORS,) if (portable / OPERATORS).is_file() else ()
        linking.link(portable, folder, (FILE, *listed, record.FILE))

    def load(self, folder: Path, *, threads: int = 1, batched: bool = False) -> TorchSession:
        """Load `model.so` in `folder`. `threads` holds for the whole process.

        Raise BundleError when it is for another torch or another CPU, or does not load.
        """
        found = record.read(folder)
        if missing := sorted(set(found.features) - _features()):
            raise BundleError(
                f"the artifact in {folder} is compiled for a CPU with {', '.join(missing)}, which this CPU lacks: "
                "deploy a bundle with an artifact for this CPU's target (`edgefn targets`)"
            )
        import torch

        from edgefn.backends.pytorch.session import TorchSession

        torch.set_num_threads(threads)
        try:
            runner = torch._C._aoti.AOTIModelContainerRunnerCpu(str(folder / FILE), 1)
        except RuntimeError as error:
            raise BundleError(f"torch {found.torch} cannot load {folder / FILE}: {error}") from error
        return TorchSession(runner.run, found)


def _features() -> frozenset[str]:
    return facts.features(facts.cpuinfo())


def _instructions(cpu: Processor, what: str) -> Instructions:
    chosen = instructions(cpu.arch, cpu.features) if cpu.arch == platform.machine() else None
    if chosen is None:
        raise BuildError(
            f"{what}: aotinductor compiles for {platform.machine()} here, but the profile's CPU is "
            f"{cpu.arch or 'any'}; build it on such a machine, or leave this target out of --target"
        )
    if missing := sorted(set(cpu.features) - _features()):
        raise BuildError(
            f"{what}: torch generates code only for this machine's CPU, which lacks {', '.join(missing)}; build it on "
            "a machine that has them, or leave this target out of --target"
        )
    return chosen
