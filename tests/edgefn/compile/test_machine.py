"""What the build machine has, as it tells itself."""

from __future__ import annotations

import os

from edgefn.compile import machine


def test_there_is_memory_and_a_core() -> None:
    """Never more than the machine has."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < machine.available_bytes() <= physical
    assert 1 <= machine.cores() <= (os.cpu_count() or 1)
