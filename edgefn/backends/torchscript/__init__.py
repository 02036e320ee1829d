"""TorchScript: networks that were traced and frozen, for boxes that carry PyTorch. Importing it does not import torch.

backend  the backend called "torchscript"
"""

from __future__ import annotations

from edgefn.backends.torchscript.backend import TorchScript

__all__ = ["TorchScript"]
