"""The backend called "torchscript".

    finish   the same files, linked: torch chooses its kernels for the CPU as it runs
    load     on as many threads as asked for, which holds for the whole process

Importing this module does not import torch.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgefn.backends.pytorch import record
from edgefn.errors import BundleError
from edgefn.targets.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import torch

    from edgefn.backends.pytorch.session import TorchSession

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

    def finish(self, portable: Path, folder: Path) -> None:
        """Link the files of `portable` into `folder`: there is nothing to make for a machine."""
        from edgefn.backends import linking

        linking.link(portable, folder, (FILE, record.FILE))

    def load(self, folder: Path, *, threads: int = 1, batched: bool = False) -> TorchSession:
        """Load `model.pt` in `folder`. Raise BundleError when it is for another torch, or does not load."""
        found = record.read(folder)
        import torch

        from edgefn.backends.pytorch.session import TorchSession

        torch.set_num_threads(threads)
        try:
            script = loaded(folder / FILE)
        except (RuntimeError, ValueError, OSError) as error:
            raise BundleError(f"torch {found.torch} cannot load {folder / FILE}: {error}") from error
        return TorchSession(lambda tensors: script(*tensors), found)


@contextmanager
def without_deprecations() -> Iterator[None]:
    """Hide torch.jit's warnings that it is old, meanwhile: of any class, a FutureWarning from PyTorch 2.14 on."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.")
        yield


def loaded(path: Path) -> torch.jit.ScriptModule:
    """Load the module in the file `path`, on the CPU. Raises what torch does where it cannot."""
    import torch

    with without_deprecations():
        script: torch.jit.ScriptModule = torch.jit.load(str(path), map_location="cpu")
    return script
