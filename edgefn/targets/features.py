"""The CPU flags that profiles may ask for, by machine: those of vector units and number formats. Data alone.

A flag that stands in no list is an error in a profile, for a misspelt one would make a target that no box satisfies.

Sources, in Linux: arch/x86/include/asm/cpufeatures.h; Documentation/arch/arm64/elf_hwcaps.rst; arch/riscv/uabi.rst.
"""

from __future__ import annotations

_X86 = """
    sse sse2 pni ssse3 sse4_1 sse4_2 sse4a popcnt cx16 lahf_lm abm avx avx2 bmi1 bmi2 f16c fma fma4 movbe xsave aes vaes
    vpclmulqdq gfni avx512f avx512bw avx512cd avx512dq avx512vl avx512er avx512pf avx512ifma avx512vbmi avx512_vbmi2
    avx512_bitalg avx512_vpopcntdq avx512_vp2intersect avx512_4vnniw avx512_4fmaps avx512_vnni avx512_bf16 avx512_fp16
    avx_vnni avx_vnni_int8 avx_vnni_int16 avx_ifma avx_ne_convert amx_tile amx_int8 amx_bf16 amx_fp16
"""
_AARCH64 = """
    fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 sm4 asimddp sha512
    sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp sve2 sveaes svepmull svebitperm svesha3 svesm4 flagm2
    frint svei8mm svef32mm svef64mm svebf16 i8mm bf16 dgh rng bti sme sme2 smei8i32 smef16f32 smeb16f32 smef32f32 sve2p1
"""
_ARMV7L = "half thumb fastmult vfp edsp neon vfpv3 vfpv4 vfpd32 idiva idivt lpae asimd asimdhp asimddp i8mm"
_RISCV64 = "i m a f d c v zba zbb zbs zfh zfhmin zvfh zvfhmin zvbb zvkb"

FEATURES: dict[str, frozenset[str]] = {
    "x86_64": frozenset(_X86.split()),
    "aarch64": frozenset(_AARCH64.split()),
    "armv7l": frozenset(_ARMV7L.split()),
    "riscv64": frozenset(_RISCV64.split()),
}
"""By the value of `platform.machine()`."""
