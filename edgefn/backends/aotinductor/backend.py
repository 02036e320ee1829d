"""The backend called "aotinductor".

    finish   the same files, linked: model.so is compiled for the CPUs of one profile already
    load     refused on a CPU without those instructions, which would kill the process during a run

Importing this module does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefn.backends.pytorch import record
from edgefn.errors import BundleError
from edgefn.targets import facts

if TYPE_CHECKING:
    from pathlib import Path

    from edgefn.backends.pytorch.session import TorchSession
    from edgefn.targets.probe import Probe

FILE = "model.so"
OPERATORS = "model.json"
"""The operators that the library calls in torch; an artifact without any has no such file."""


class AotInductor:
    """A network compiled ahead of time; the box needs torch."""

    name = "aotinductor"
    fork_safe = True  # its loops are OpenMP's, which on one thread starts no other

    def probe(self) -> Probe:
        """Tell whether torch is installed; read its metadata, never import it."""
        return record.probe()

    def warm_up(self) -> None:
        """Import torch and set it to one thread."""
        import torch

        torch.set_num_threads(1)

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
                f"the artifact in {folder} is compiled for a CPU with {', '.join(missing)}, which this one has not: "
                "deploy a bundle that has an artifact for this CPU's target (`edgefn targets`)"
            )
        library = folder / FILE
        if found.library_bytes and (not library.is_file() or library.stat().st_size != found.library_bytes):
            raise BundleError(f"{library} is not whole: it was built with {found.library_bytes} bytes; deploy again")
        import torch

        from edgefn.backends.pytorch.session import TorchSession

        torch.set_num_threads(threads)
        try:
            runner = torch._C._aoti.AOTIModelContainerRunnerCpu(str(folder / FILE), 1)
        except RuntimeError as error:
            raise BundleError(f"torch {found.torch} does not load {folder / FILE}: {error}") from error
        return TorchSession(runner.run, found)


def _features() -> frozenset[str]:
    return facts.features(facts.cpuinfo())
