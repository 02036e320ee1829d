"""Pages of libraries that a fork maps ahead."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

from edgefn_runtime.child.fork import pages

CODE = """
import os
import numpy, msgspec
from edgefn_runtime.child.fork import pages

def present(ranges):
    there = {start + at for start, size in pages.mapped() for at in range(0, size, 4096)}
    return sum(start + at in there for start, size in ranges for at in range(0, size, 4096))

ranges = pages.mapped()
wanted = present(ranges)
reader, writer = os.pipe()
if os.fork() == 0:
    before = present(ranges)
    pages.touch(ranges)
    os.write(writer, f"{wanted} {before} {present(ranges)}".encode())
    os._exit(0)
os.wait()
print(os.read(reader, 100).decode())
"""


def test_a_fork_maps_what_its_parent_had_mapped() -> None:
    """fork() leaves a part of the libraries' pages out; `touch` brings them (or the kernel has no such call)."""
    told = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True).stdout
    wanted, before, after = map(int, told.split())
    assert before < wanted
    assert after in (wanted, before)


def test_ranges_are_whole_pages_of_readable_files() -> None:
    """No range overlaps another, and none is empty."""
    ranges = pages.mapped()
    assert ranges
    assert all(one.start % 4096 == 0 == one.size % 4096 and one.size > 0 for one in ranges)
    ordered = sorted(ranges)
    assert all(one.start + one.size <= other.start for one, other in pairwise(ordered))
