"""The processors that a box may use, by its affinity; quotas are tested where they are read."""

from __future__ import annotations

import os
import subprocess
import sys

from edgefn_runtime.cgroups.processors import machine


def test_affinity_counts() -> None:
    """Not how many processors there are: a box that may use one of them has one."""
    found = machine()
    assert 0 < found.cores <= len(os.sched_getaffinity(0))
    assert 1 <= found.physical <= len(os.sched_getaffinity(0))
    (first, *_) = os.sched_getaffinity(0)
    code = (
        f"import os; os.sched_setaffinity(0, {{{first}}})\n"
        "from edgefn_runtime.cgroups.processors import machine\n"
        "print(machine().cores <= 1, machine().physical)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True 1\n"
