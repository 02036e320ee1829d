"""The processors that a box may use: its affinity, and quotas as the kernel writes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgefn_runtime.supervisor.processors import machine, quotas_v1, quotas_v2


def test_affinity_counts() -> None:
    """Not how many processors there are: a box that may use one of them has one."""
    found = machine()
    assert 0 < found.cores <= len(os.sched_getaffinity(0))
    assert 1 <= found.physical <= len(os.sched_getaffinity(0))
    (first, *_) = os.sched_getaffinity(0)
    code = (
        f"import os; os.sched_setaffinity(0, {{{first}}})\n"
        "from edgefn_runtime.supervisor.processors import machine\n"
        "print(machine().cores <= 1, machine().physical)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True 1\n"


@pytest.mark.parametrize(
    ("inner", "outer", "quotas"),
    [("max 100000", "150000 100000", [1.5]), ("50000 100000", "max 100000", [0.5]), ("what", "", [])],
)
def test_quotas_of_version_2(tmp_path: Path, inner: str, outer: str, quotas: list[float]) -> None:
    """A group's own, and those of the groups above it; the smallest counts."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    for group in (tmp_path / "a", tmp_path / "a" / "b"):
        (group / "cgroup.procs").touch()
    (tmp_path / "a" / "b" / "cpu.max").write_text(f"{inner}\n")
    (tmp_path / "a" / "cpu.max").write_text(f"{outer}\n")
    assert list(quotas_v2(tmp_path / "a" / "b")) == quotas


@pytest.mark.parametrize(("quota", "quotas"), [("-1", []), ("25000", [0.25])])
def test_quotas_of_version_1(tmp_path: Path, quota: str, quotas: list[float]) -> None:
    """-1 is none."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "cgroup.procs").touch()
    (tmp_path / "a" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (tmp_path / "a" / "cpu.cfs_period_us").write_text("100000\n")
    assert list(quotas_v1(tmp_path / "a")) == quotas
