"""Which instructions code for a profile may use: the compiler's flags for a set of CPU features.

Pure. torch's own choice is -march=native, the build machine's, and as wide vectors as that has.

Source: the x86-64 psABI's microarchitecture levels (https://gitlab.com/x86-psABIs/x86-64-ABI).
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

_V2 = {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}
# The level has lzcnt and xsave besides, as every chip with the others does.
_V3 = {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}
_V4 = {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}


class Instructions(msgspec.Struct, frozen=True):
    """`march` is GCC's -march; `simdlen` the width in bits of the vectors that torch writes, 1 for none."""

    march: str
    simdlen: int


def instructions(arch: str, features: Collection[str]) -> Instructions | None:
    """Choose the largest instruction set that each CPU of `arch` with `features` has.

    None where this module does not know `arch`. A feature beyond a level, e.g. avx512_vnni, is not used: float32 has no
    use for it.
    """
    if arch == "aarch64":
        return Instructions("armv8.2-a" if {"asimddp", "asimdhp"} & set(features) else "armv8-a", 128)
    if arch != "x86_64":
        return None
    if _V3.issubset(features):
        return Instructions("x86-64-v4", 512) if _V4.issubset(features) else Instructions("x86-64-v3", 256)
    return Instructions("x86-64-v2" if _V2.issubset(features) else "x86-64", 1)
