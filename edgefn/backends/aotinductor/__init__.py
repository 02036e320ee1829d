"""AOTInductor: a network compiled to a shared library, for boxes that carry PyTorch. Importing it imports no torch."""

from __future__ import annotations

from edgefn.backends.aotinductor.backend import AotInductor

__all__ = ["AotInductor"]
