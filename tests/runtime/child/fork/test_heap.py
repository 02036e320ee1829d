"""malloc before a fork: what is free in the parent is the machine's, or closed to the fork."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import ctypes, resource
from edgefn_runtime.child.fork import heap

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = heap._Mallinfo
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
blocks = [libc.malloc(4000) for _ in range(2000)]
for block in blocks:
    ctypes.memset(block, 1, 4000)
for block in blocks[::2]:
    libc.free(block)

def holes():
    found = libc.mallinfo2()
    return found.fordblks - found.keepcost

before = holes()
heap.close()
after = holes()
heap.close()
print(before, after, holes())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_no_hole_is_left_for_a_fork_to_copy() -> None:
    """Of a thousand blocks of 4 kB freed between used ones only pieces below 1 kB are left; twice changes nothing."""
    told = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True).stdout
    before, after, again = map(int, told.split())
    assert before > 3_900_000
    assert after < before / 4
    assert again <= after + 4096


ARENAS = """
import ctypes, sys, threading
from edgefn_runtime.child.fork import heap

if sys.argv[1] == "one":
    heap.keep_to_one_arena()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
threads = [threading.Thread(target=libc.malloc, args=(100_000,)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_stats()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
@pytest.mark.parametrize("arenas", ["one", "many"])
def test_there_is_one_heap_to_fill_and_to_give_back(arenas: str) -> None:
    """Also for threads: what a second one grows by counts against the limit for ever. Left to itself malloc has more.

    That an instance serves on after answers that filled its memory is `pool.test_hostile_callers`.
    """
    told = subprocess.run([sys.executable, "-c", ARENAS, arenas], check=True, capture_output=True, text=True).stderr
    assert told.count("Arena ") == 1 if arenas == "one" else told.count("Arena ") > 1
