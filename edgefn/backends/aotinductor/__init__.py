"""AOTInductor: a network compiled to a shared library, for boxes that carry PyTorch. Importing it imports no torch.

backend  the backend called "aotinductor"
"""

from __future__ import annotations

from edgefn.backends.aotinductor.backend import AotInductor

__all__ = ["AotInductor"]
