"""An instance that leaks asks to be replaced before a call fails, one that is only large never does."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.child.leak_detector import EVERY, LONG_S, SLACK, Growth, PrivateMemory, Watch
from edgefn_runtime.workers import launch

LIMIT = 64 * 2**20


@given(st.lists(st.integers(0, LIMIT // 3), min_size=3, max_size=60), st.integers(0, LIMIT // 2))
def test_no_step_like_those_before_meets_the_limit(steps: list[int], first: int) -> None:
    """As long as it is not told to leave, as large a step as any so far still fits."""
    growth, used, largest = Growth(LIMIT), first, 0
    assert not growth.leaks_away(used)
    for step in steps:
        used += step
        largest = max(largest, step)
        if growth.leaks_away(used):
            assert used + max(largest, LIMIT // 10) + SLACK > LIMIT
            return
        assert used + largest <= LIMIT or used == first


@given(st.integers(0, LIMIT), st.lists(st.floats(0, 1), max_size=60))
def test_what_is_large_but_does_not_grow_stays(first: int, shares: list[float]) -> None:
    """A handler that needs all of its memory from the first call on is not replaced after each."""
    growth = Growth(LIMIT)
    assert not growth.leaks_away(first)
    assert not any(growth.leaks_away(int(first * share)) for share in shares)


def test_what_this_process_takes_is_seen() -> None:
    """Memory that is allocated counts, and no longer when it is freed."""
    memory = PrivateMemory(LIMIT)
    held = mmap.mmap(-1, 32 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # malloc may have some to reuse
    assert 32 * 2**20 <= memory.used_bytes() < 40 * 2**20
    held.close()
    assert memory.used_bytes() < 8 * 2**20


def test_what_is_free_and_cannot_be_given_back_counts() -> None:
    """Some kilobytes above freed megabytes keep them from the machine: the limit counts them, and it makes room."""
    program = f"""
import ctypes
from edgefn_runtime.child.leak_detector import Watch
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
watch = Watch({LIMIT})
watch.full_after(1.0)
large = [libc.malloc(15 << 20) for _ in range(3)]
stays = [libc.malloc(5000) for _ in range(200 if STAYS else 0)]  # more than fit into holes
for one in large:
    libc.free(one)
print(watch.full_after(1.0))
"""
    environment = os.environ | launch.ENVIRONMENT
    for stays in (True, False):
        code = program.replace("STAYS", str(stays))
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(stays)


def test_it_is_told_once() -> None:
    """After a long call at once, after short ones when there were several; then never again."""
    limit = 2**30  # so large that nothing the process frees meanwhile hides it, and never touched
    long, short = Watch(limit), Watch(limit)
    assert not long.full_after(LONG_S)
    assert not any(short.full_after(0.0) for _ in range(EVERY))
    held = mmap.mmap(-1, limit, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        assert long.full_after(LONG_S)
        assert not long.full_after(LONG_S)
        assert [short.full_after(0.0) for _ in range(EVERY)] == [False] * (EVERY - 1) + [True]
        assert not any(short.full_after(0.0) for _ in range(2 * EVERY))
    finally:
        held.close()


LEAKS = """
import mmap, resource, sys
from edgefn_runtime.child.fork import process
from edgefn_runtime.child.leak_detector import LONG_S, Watch

memory, early, each = (int(size) for size in sys.argv[1:])
process.limit_memory(memory)
taken = bytearray(early)  # before anybody looks, as a handler's first imports are
watch, kept = Watch(memory), []
while not watch.full_after(LONG_S):
    kept.append(bytearray(each))
print(len(kept))
"""


@pytest.mark.parametrize("early", [0, 3, 5])
@pytest.mark.parametrize("each", [0.25, 3, 6])
def test_a_leaking_process_is_told_before_an_allocation_fails(each: float, early: float) -> None:
    """Whatever it took before it was first looked at, and though the heap grows by pieces of 2 MiB: no MemoryError.

    It used to count from the first look, with less to spare than such a piece: on a busy machine a call got a 500.
    """
    sizes = [str(int(size * 2**20)) for size in (64, early, each)]
    environment = os.environ | launch.ENVIRONMENT
    done = subprocess.run(
        [sys.executable, "-c", LEAKS, *sizes], check=False, capture_output=True, text=True, timeout=60, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * each > 32 - early
