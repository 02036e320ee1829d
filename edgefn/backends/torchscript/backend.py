"""The backend called "torchscript".

    lower    model.pt, traced and frozen: any machine with that version of torch runs it
    finish   the same files, linked: torch chooses its kernels for the CPU as it runs
    load     on as many threads as asked for, which holds for the whole process

Importing this module does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefn.backends.backend import Lowered, Probe
from edgefn.backends.pytorch import record
from edgefn.errors import BuildError, BundleError

if TYPE_CHECKING:
    from pathlib import Path

    from edgefn.backends.backend import Captured
    from edgefn.backends.pytorch.session import TorchSession
    from edgefn.targets.profiles import Target

FILE = "model.pt"


class TorchScript:
    """A traced, frozen network, run by PyTorch's interpreter: no compiler needed, at build or on the box."""

    name = "torchscript"
    fork_safe = True  # on one thread OpenMP starts no other, and torch has none of its own before a backward pass

    def probe(self) -> Probe:
        """Tell whether torch is installed; read its metadata, never import it."""
        return record.probe()

    def warm_up(self) -> None:
        """Import torch and set it to one thread."""
        import torch

        torch.set_num_threads(1)

    def lower(self, captured: Captured, target: Target, folder: Path) -> Lowered:
        """Write `model.pt` and its record into `folder`.

        Raise BuildError when the network does not trace, or its trace holds for one batch size only.
        """
        if target.precision != "fp32":
            raise BuildError(f"torchscript does not support {target.precision}, so it cannot build the target {target}")
        from edgefn.backends.pytorch import operators
        from edgefn.backends.torchscript import tracing

        operators.check_none_foreign(captured.program, f"model {captured.model.name}, target {target}")
        script = tracing.trace(captured, target)
        folder.mkdir(parents=True, exist_ok=True)
        tracing.save(script, folder / FILE)
        record.write(folder, captured.model)
        return Lowered({"torch": record.installed()})

    def finish(self, portable: Path, folder: Path) -> None:
        """Link the files of `portable` into `folder`: there is nothing to make for a machine."""
        from edgefn.backends import linking

        linking.link(portable, folder, (FILE, record.FILE))

    def load(self, folder: Path, *, threads: int = 1, batched: bool = False) -> TorchSession:
        """Load `model.pt` in `folder`. Raise BundleError when it is for another torch, or does not load."""
        found = record.read(folder)
        import torch

        from edgefn.backends.pytorch.session import TorchSession
        from edgefn.backends.torchscript import tracing

        torch.set_num_threads(threads)
        try:
            script = tracing.load(folder / FILE)
        except (RuntimeError, ValueError, OSError) as error:
            raise BundleError(f"torch {found.torch} cannot load {folder / FILE}: {error}") from error
        return TorchSession(lambda tensors: script(*tensors), found)
