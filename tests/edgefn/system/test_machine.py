"""The memory and the processors that a process may use: whatever limit is set on whatever group above it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefn.system import machine
from edgefn.system.cgroup_mounts import Place, places

MIB = 2**20


def groups(folder: Path, *names: str) -> list[Path]:
    """Control groups, each below the one before."""
    found = [folder]
    for name in names:
        found.append(found[-1] / name)
        found[-1].mkdir()
        (found[-1] / "cgroup.procs").touch()
    return found[1:]


def test_there_is_memory_and_a_core() -> None:
    """Never more than the machine has."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < machine.available_bytes() < machine.total_bytes() <= physical
    assert 0 < machine.cores() <= len(os.sched_getaffinity(0))
    assert 1 <= machine.whole_cores() <= (os.cpu_count() or 1)


def test_what_is_available_opens_no_groups_file_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A box asks before each start, while others make groups and enter them; what it reads is of now all the same."""
    (own,) = groups(tmp_path, "own")
    (own / "memory.max").write_text(f"{300 * MIB}\n")
    (own / "memory.current").write_text(f"{100 * MIB}\n")
    (own / "memory.stat").write_text("file 7\n")
    monkeypatch.setattr(machine, "_own_memory_groups", lambda: machine._memory_groups([Place(own, 2, ("memory",))]))
    assert machine.available_bytes() == 200 * MIB - machine.RESERVE_BYTES
    monkeypatch.setattr(machine, "_read", lambda file: pytest.fail(f"opens {file}"))
    opened = machine._kept_open.cache_info().misses
    (own / "memory.current").write_text(f"{150 * MIB}\n")
    assert machine.available_bytes() == 150 * MIB - machine.RESERVE_BYTES
    assert machine._kept_open.cache_info().misses == opened


@pytest.mark.parametrize(
    ("version", "limit", "used", "droppable"),
    [
        (2, "memory.max", "memory.current", "inactive_file"),
        (1, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ],
)
def test_the_limit_of_each_group_above_is_seen(
    tmp_path: Path, version: int, limit: str, used: str, droppable: str
) -> None:
    """On the own group, on its slice and above that; "max" and version 1's large number are none."""
    top, middle, own = groups(tmp_path, "top", "middle", "own")
    for folder, text in ((top, str(300 * MIB)), (middle, "max" if version == 2 else str(2**63 - 4096)), (own, "none")):
        (folder / limit).write_text(f"{text}\n")
    (top / used).write_text(f"{100 * MIB}\n")
    (top / "memory.stat").write_text(f"anon 5\n{droppable} {40 * MIB}\nfile 7\n")
    place = Place(own, version, ("memory",))
    assert list(machine.memory_bounds([place])) == [machine.GroupMemory(300 * MIB, 60 * MIB)]
    (own / limit).write_text(f"{200 * MIB}\n")
    assert list(machine.memory_bounds([place])) == [
        machine.GroupMemory(200 * MIB, 0),
        machine.GroupMemory(300 * MIB, 60 * MIB),
    ]
    assert list(machine.memory_bounds([place._replace(controllers=("cpu",))])) == []


@pytest.mark.parametrize(
    ("inner", "outer", "quotas"),
    [("max 100000", "150000 100000", [1.5]), ("50000 100000", "max 100000", [0.5]), ("what", "", [])],
)
def test_quotas_of_version_2(tmp_path: Path, inner: str, outer: str, quotas: list[float]) -> None:
    """A group's own, and those of the groups above it."""
    above, own = groups(tmp_path, "a", "b")
    (own / "cpu.max").write_text(f"{inner}\n")
    (above / "cpu.max").write_text(f"{outer}\n")
    assert list(machine.cpu_quotas([Place(own, 2, ("memory", "cpu"))])) == quotas


@pytest.mark.parametrize(("quota", "quotas"), [("-1", []), ("25000", [0.25])])
def test_quotas_of_version_1(tmp_path: Path, quota: str, quotas: list[float]) -> None:
    """-1 is none; so it is on the group above."""
    above, own = groups(tmp_path, "a", "b")
    (above / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (above / "cpu.cfs_period_us").write_text("100000\n")
    assert list(machine.cpu_quotas([Place(own, 1, ("cpu",))])) == quotas


@pytest.fixture
def slices() -> Iterator[list[Path]]:
    """A group of this kernel for memory and one for processors, each with a limit on the group above it."""
    made: list[Path] = []
    name = f"test-{secrets.token_hex(4)}"
    try:
        for place in places():
            for controller, file, text in _LIMITS[place.version]:
                if controller in place.controllers:
                    folder = place.folder / name
                    folder.mkdir(exist_ok=True)
                    (folder / file).write_text(text)
                    (folder / "inner").mkdir(exist_ok=True)
                    made += [folder] if folder not in made else []
    except OSError as error:
        pytest.skip(f"no control group with a limit can be made here: {error}")
    finally:
        if len(made) < 1:
            pytest.skip("no control group with a limit can be made here")
    yield [folder / "inner" for folder in made]
    for folder in made:
        (folder / "inner").rmdir()
        folder.rmdir()


_LIMITS = {
    1: [("memory", "memory.limit_in_bytes", str(100 * MIB)), ("cpu", "cpu.cfs_quota_us", "50000")],
    2: [("memory", "memory.max", str(100 * MIB)), ("cpu", "cpu.max", "50000 100000")],
}


def test_this_kernels_limits_are_seen(slices: list[Path]) -> None:
    """A process in a group below one of 100 MiB and half a core has so much, for a box and for a build."""
    code = (
        "import os, sys\n"
        "for folder in sys.argv[1:]: open(folder + '/cgroup.procs', 'w').write(str(os.getpid()))\n"
        "from edgefn.system import machine\n"
        "print(machine.total_bytes(), machine.available_bytes(), machine.cores(), machine.whole_cores())\n"
    )
    command = [sys.executable, "-c", code, *map(str, slices)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    total, available, cores, whole = map(float, done.stdout.split())
    assert total == 100 * MIB
    assert 0 < available < total
    if any((folder.parent / "cpu.cfs_quota_us").exists() or (folder / "cpu.max").exists() for folder in slices):
        assert cores == 0.5
    assert whole == 1
