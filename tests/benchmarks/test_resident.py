"""Memory as the kernel counts it: read from its text, and from a process that is known."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from benchmarks import resident

SMAPS = """7f0000000000-7f0001000000 r--p 00000000 fe:00 42   /home/a b/finished.onnx.data
Size:              16384 kB
Pss:                4000 kB
Private_Dirty:         0 kB
VmFlags: rd mr mw me
7f0001000000-7f0002000000 rw-p 01000000 fe:00 42   /home/a b/finished.onnx.data
Size:              16384 kB
Pss:                1000 kB
Private_Dirty:       500 kB
VmFlags: rd wr mr mw me
7f0002000000-7f0003000000 rw-p 00000000 00:00 0
Size:              16384 kB
Pss:               16384 kB
Private_Dirty:     16384 kB
VmFlags: rd wr mr mw me
"""


def test_the_mappings_of_one_file_are_summed() -> None:
    """Those of other files, and of none, do not count; spaces in its path do no harm."""
    mapped = resident.mapping(SMAPS, "finished.onnx.data")
    assert mapped.mappings == 2
    assert mapped.pss == pytest.approx(5000 * 1024 / 1e6)
    assert mapped.private_dirty == pytest.approx(500 * 1024 / 1e6)
    assert resident.mapping(SMAPS, "other.onnx.data") == (0, 0.0, 0.0)


def test_what_a_process_writes_is_anonymous_and_private() -> None:
    """32 MB written into fresh pages appear in both figures of this process."""
    before = resident.anonymous_mb(os.getpid()), resident.private_mb(os.getpid())
    with mmap.mmap(-1, 32_000_000, flags=mmap.MAP_PRIVATE) as pages:
        for place in range(0, len(pages), mmap.PAGESIZE):
            pages[place] = 1
        after = resident.anonymous_mb(os.getpid()), resident.private_mb(os.getpid())
    for less, more in zip(before, after, strict=True):
        assert more - less == pytest.approx(32.0, abs=8.0)


def test_a_file_that_is_read_is_mapped_once(tmp_path: Path) -> None:
    """As the weights are: all of it counts, under its name; nothing of it when it is no longer mapped."""
    file = tmp_path / "weights.data"
    file.write_bytes(bytes(4_000_000))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        assert not any(pages[place] for place in range(0, len(pages), mmap.PAGESIZE))
        mapped = resident.mapped(os.getpid(), file.name)
    assert mapped.mappings == 1
    assert mapped.pss == pytest.approx(4.0, abs=0.2)
    assert resident.mapped(os.getpid(), file.name).mappings == 0
