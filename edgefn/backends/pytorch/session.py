"""A loaded network of PyTorch behind the `Session` protocol, and the files that it is loaded from."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import numpy as np
import torch

from edgefn.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edgefn.backends.backend import Arrays
    from edgefn.backends.pytorch.record import Record


class TorchSession:
    """Calls a network with tensors in the record's order; arrays go in by name, and fresh arrays come out."""

    def __init__(self, network: Callable[[list[torch.Tensor]], Sequence[torch.Tensor]], record: Record) -> None:
        self._network = network
        self._inputs, self._outputs = record.inputs, record.outputs

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        # Copies: a network may write into its input or return it, and its outputs may be memory that it uses again.
        tensors = [torch.from_numpy(np.array(inputs[name], order="C")) for name in self._inputs]
        with torch.inference_mode():
            outputs = self._network(tensors)
        return {name: np.array(one.numpy(), order="C") for name, one in zip(self._outputs, outputs, strict=True)}


def link(portable: Path, folder: Path, names: Sequence[str]) -> None:
    """The files of `portable` lie in `folder` too, as hard links where the file system allows it.

    Raises BundleError when one is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not (portable / name).is_file():
            raise BundleError(f"the artifact in {portable} has no {name}; build the bundle again")
        (folder / name).unlink(missing_ok=True)
        try:
            os.link(portable / name, folder / name)
        except OSError:  # another file system, or one without links
            shutil.copyfile(portable / name, folder / name)
