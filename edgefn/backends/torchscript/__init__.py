"""TorchScript: a network traced and frozen, for boxes that carry PyTorch. Importing it does not import torch.

backend  the backend called "torchscript"
tracing  a captured program traced, frozen, and held against itself at another batch size
"""

from __future__ import annotations

from edgefn.backends.torchscript.backend import TorchScript

__all__ = ["TorchScript"]
