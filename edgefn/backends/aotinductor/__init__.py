"""AOTInductor: a network compiled to a shared library, for boxes that carry PyTorch. Importing it imports no torch.

backend       the backend called "aotinductor"
compiler      a captured program compiled by AOTInductor and g++
instructions  the compiler's flags for a profile's CPU
"""

from __future__ import annotations

from edgefn.backends.aotinductor.backend import AotInductor

__all__ = ["AotInductor"]
