"""Whether eight-bit products saturate on a profile's CPU. Pure: decided from the profile, never from this machine.

On x86 without VNNI two products are added in sixteen bits (see `weights`): a file that agrees on 0.89 of the crops with
exact products agrees on 0.58 with those. An artifact is made for the worst CPU that its profile admits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgefn.targets.profile import Processor

EXACT = frozenset({"avx512_vnni", "avx_vnni", "asimddp"})
"""Flags of /proc/cpuinfo, each of an instruction that adds four products in 32 bits."""

X86 = frozenset({"x86_64", "amd64", "i686", ""})
"""Architectures that multiply by `vpmaddubsw` without them; a profile that names none may be one of these. ARM's older
instructions widen before they add."""


def saturates(cpu: Processor) -> bool:
    """Tell whether a CPU that meets the profile may clip the sum of two eight-bit products."""
    return cpu.arch in X86 and not EXACT & set(cpu.features)
