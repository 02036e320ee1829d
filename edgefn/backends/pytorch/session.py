"""A loaded network of PyTorch behind the `Session` protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edgefn.backends.pytorch.record import PyTorchRecord
    from edgefn.session import Arrays


class TorchSession:
    """Calls a network with tensors in the record's order; arrays go in by name, and fresh arrays come out."""

    def __init__(self, network: Callable[[list[torch.Tensor]], Sequence[torch.Tensor]], record: PyTorchRecord) -> None:
        self._network = network
        self._inputs, self._outputs = record.inputs, record.outputs

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        # Copies: a network may write into its input or return it, and its outputs may be memory that it uses again.
        tensors = [torch.from_numpy(np.array(inputs[name], order="C")) for name in self._inputs]
        with torch.inference_mode():
            outputs = self._network(tensors)
        return {name: np.array(one.numpy(), order="C") for name, one in zip(self._outputs, outputs, strict=True)}
