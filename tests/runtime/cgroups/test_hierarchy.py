"""Control groups are found as the kernel tells of them, and those of version 2 are used as it wants it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefn.system.cgroup_mounts import Place, places
from edgefn_runtime.cgroups.controlgroups import LEAF, FunctionGroup, Tree
from tests.runtime.cgroups.test_controlgroups import DAEMON
from tests.runtime.pool.bench import Bench, OnBench, alive, host_pid
from tests.runtime.workers.test_isolation import ANYTHING

UNIFIED = Path("/sys/fs/cgroup/unified")


@pytest.fixture
def group() -> Iterator[Path]:
    """A group of version 2 of this kernel, without controllers where version 1 has them."""
    root = next((folder for folder in (UNIFIED, UNIFIED.parent) if (folder / "cgroup.controllers").exists()), None)
    folder = (root or UNIFIED) / f"test-{secrets.token_hex(4)}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group of version 2 can be made here: {error}")
    yield folder
    (folder.parent / "cgroup.procs").write_text(str(os.getpid()))  # a box in this process has moved it
    for below in sorted(folder.rglob("*"), reverse=True):
        if below.is_dir():
            below.rmdir()
    folder.rmdir()


def process(folder: Path, *, groups: str, mounts: str) -> Path:
    """The files of a process, as proc(5) describes them, with FOLDER for `folder`."""
    (folder / "cgroup").write_text(groups)
    (folder / "mountinfo").write_text(mounts.replace("FOLDER", str(folder)))
    return folder


def test_version_1_has_a_place_for_each_controller(tmp_path: Path) -> None:
    """The own group of each hierarchy, several controllers in one or not; those that are not wanted are passed over."""
    for folder in ("memory/shop/till", "cpu,cpuacct/till", "freezer"):
        (tmp_path / folder).mkdir(parents=True)
    found = places(
        process(
            tmp_path,
            groups="5:freezer:/\n4:memory:/shop/till\n3:cpu,cpuacct:/till\n1:name=systemd:/till\n0::/till\n",
            mounts=(
                "31 1 0:1 / FOLDER/memory rw - cgroup cgroup rw,memory\n"
                "32 1 0:2 / FOLDER/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
                "33 1 0:3 / FOLDER/freezer rw - cgroup cgroup rw,freezer\n"
                "34 1 0:4 / /proc rw - proc proc rw\n"
            ),
        )
    )
    assert found == [
        Place(tmp_path / "memory/shop/till", 1, ("memory",)),
        Place(tmp_path / "cpu,cpuacct/till", 1, ("cpu",)),
    ]


def test_version_2_has_one_place_for_all(tmp_path: Path) -> None:
    """With the controllers that the group above hands down; in a container, whose root is a group of the host's."""
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2" / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    mounts = "31 1 0:1 /docker/4711 FOLDER/v2 rw shared:4 - cgroup2 cgroup rw,nsdelegate\n"
    found = places(process(tmp_path, groups="0::/docker/4711\n", mounts=mounts))
    assert found == [Place(tmp_path / "v2", 2, ("memory", "pids", "cpu"))]


def test_a_group_that_is_not_mounted_is_no_place(tmp_path: Path) -> None:
    """Out of sight in this container; a process without control groups at all has none either."""
    mounts = "31 1 0:1 /docker/4711 FOLDER rw - cgroup2 cgroup rw\n"
    assert places(process(tmp_path, groups="0::/docker/42\n", mounts=mounts)) == []
    assert places(tmp_path / "nobody") == []


def test_this_kernel_is_understood() -> None:
    """Each place is a group that this process is in."""
    for place in places():
        assert str(os.getpid()) in (place.folder / "cgroup.procs").read_text().split()


def test_the_files_of_version_2_have_their_values(tmp_path: Path) -> None:
    """Layout only, in a plain folder: a kernel whose controllers belong to version 1 cannot enforce them by 2."""
    group = FunctionGroup([Tree(tmp_path, 2, ("memory", "pids", "cpu"), -1)], "f.1", 128)
    group.limit_memory(2**28)
    with group.cgroup_fds() as cgroup_fds:
        assert len(cgroup_fds) == 1
    folder = tmp_path / "f.1"
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        "memory.max": str(2**28),
        "memory.swap.max": "0",
        "pids.max": "128",
        "cpu.weight": str(min(10_000, 100 * (os.cpu_count() or 1))),
    }
    (folder / "memory.events").write_text("low 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n")
    assert [group.ran_out(), group.ran_out()] == [True, False]


def test_functions_are_born_in_their_group_of_version_2(on_bench: OnBench, group: Path) -> None:
    """Template, instances and what they leave behind are in it; it goes with the function, and all that is in it."""

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING)
        left = host_pid(int(await bench.ask(code=DAEMON)))
        (folder,) = group.glob("edgefn-*/f.*")
        template = await bench.template()
        inside = set(map(int, (folder / "cgroup.procs").read_text().split()))
        assert {template, *bench.pids(), left} <= inside
        assert os.getpid() not in inside
        await bench.supervisor.remove("f")
        assert not folder.exists()
        assert not alive(left)

    on_bench(test, [Place(group, 2, ())])


def test_a_box_of_version_2_moves_into_a_leaf(group: Path) -> None:
    """Its own group then holds no process, as the kernel wants it of one that hands controllers down."""
    script = """
import os, subprocess, sys
from pathlib import Path
from edgefn_runtime.cgroups.controlgroups import ControlGroups
from edgefn.system.cgroup_mounts import Place
own = Path(sys.argv[1])
(own / "cgroup.procs").write_text(str(os.getpid()))
zygote = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
groups = ControlGroups([Place(own, 2, ())])
zygote.communicate()
print((own / "cgroup.procs").read_text().split() or Path("/proc/self/cgroup").read_text().split("0::")[1].strip())
groups.close()
"""
    told = subprocess.run([sys.executable, "-c", script, group], capture_output=True, text=True, check=True).stdout
    assert told.strip().endswith(f"{group.name}/{LEAF}")


def test_what_a_zygote_forks_while_its_box_moves_is_moved_too(group: Path) -> None:
    """One process left in the group keeps the kernel from handing controllers down: functions had no bounds then."""
    script = """
import os, signal, sys, time
from pathlib import Path
from edgefn_runtime.cgroups import controlgroups
own = Path(sys.argv[1])
groups = [own / "cgroup.procs", own / controlgroups.LEAF / "cgroup.procs"]
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(50):
    for handed in (own / "cgroup.subtree_control").read_text().split():
        (own / "cgroup.subtree_control").write_text(f"-{handed}")
    (own / "cgroup.procs").write_text(str(os.getpid()))
    zygote = os.fork()
    if zygote == 0:
        while True:
            if os.fork() == 0:
                signal.alarm(2)
                signal.pause()
            time.sleep(0.0005)
    while len((own / "cgroup.procs").read_text().split()) < 5:
        os.sched_yield()
    controlgroups._make_room(own)
    left = (own / "cgroup.procs").read_text().split()
    while others := [pid for each in groups for pid in each.read_text().split() if int(pid) != os.getpid()]:
        for pid in others:
            try: os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError: pass
    print(len(left))
"""
    run = subprocess.run([sys.executable, "-c", script, group], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    assert set(run.stdout.split()) == {"0"}


def test_a_controller_that_is_not_handed_down_is_told(group: Path) -> None:
    """Where version 1 has the controllers, a group of version 2 takes none; the place says which and where."""
    script = """
import os, sys
from pathlib import Path
from edgefn_runtime.cgroups.controlgroups import ControlGroups
from edgefn.system.cgroup_mounts import Place
own = Path(sys.argv[1])
(own / "cgroup.procs").write_text(str(os.getpid()))
groups = ControlGroups([Place(own, 2, ("memory",))])
print(groups.enforced["memory"])
groups.close()
"""
    told = subprocess.run([sys.executable, "-c", script, group], capture_output=True, text=True, check=True).stdout
    assert told.strip() in ("True", f"{group} does not delegate it")


def test_a_group_that_is_shared_with_others_is_left_alone(group: Path) -> None:
    """A box that was started by hand in somebody's session says what to do instead of moving others' processes."""
    script = """
import os, subprocess, sys
from pathlib import Path
from edgefn_runtime.cgroups.controlgroups import ControlGroups
from edgefn.system.cgroup_mounts import Place
own = Path(sys.argv[1])
if os.fork():
    (own / "cgroup.procs").write_text(str(os.getpid()))
    print(os.read(0, 1).decode(), os.wait()[1])
    sys.exit()
(own / "cgroup.procs").write_text(str(os.getpid()))
while str(os.getppid()) not in (own / "cgroup.procs").read_text().split():
    os.sched_yield()
groups = ControlGroups([Place(own, 2, ("memory", "pids"))])
print(groups.enforced["memory"], flush=True)
groups.close()
"""
    told = subprocess.run(
        [sys.executable, "-c", script, group], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    ).stdout
    assert "other processes are in the control group" in told
    assert "Delegate=yes" in told
