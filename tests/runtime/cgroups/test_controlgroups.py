"""Control groups around real functions: together they use what one may, and nothing of them is left behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgefn.errors import DeploymentRefused, InstanceLost
from edgefn.system.cgroup_mounts import Place, places
from edgefn_runtime.cgroups.controlgroups import PREFIX, ControlGroups, settles_in
from edgefn_runtime.memory.budget import MemoryBudget
from edgefn_runtime.memory.measurement import Forgetful
from edgefn_runtime.workers.launcher import PROCESSES
from tests.e2e.deadline import eventually
from tests.runtime.pool.bench import Bench, OnBench, alive, host_pid
from tests.runtime.workers.test_isolation import ANYTHING, needs

MIB = 2**20

SHARED = """
import mmap
held = [mmap.mmap(-1, 8 * 2**20) for _ in range(40)]
for piece in held:
    for page in range(0, len(piece), 4096):
        piece[page] = 1
"""

MEMFD = """
import os
for number in range(40):
    fd = os.memfd_create(f"hidden-{number}")
    for _ in range(8): os.write(fd, bytes(2**20))
"""

CROWD = """
import os, time
pids = []
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        held = bytearray(40 * 2**20)
        time.sleep(60)
    pids.append(pid)
found = os.waitstatus_to_exitcode(os.wait()[1])
"""

DAEMON = """
import os, time
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        os.write(writer, str(os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()).encode())
        for fd in range(64):
            try: os.close(fd)
            except OSError: pass
        time.sleep(300)
    os._exit(0)
os.wait()
found = os.read(reader, 32).decode()
"""

RESTLESS = """
import os, time
reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, b"1")
    for fd in range(64):
        try: os.close(fd)
        except OSError: pass
    end = time.monotonic() + 60
    while time.monotonic() < end:
        os.setsid() if os.getsid(0) != os.getpid() else None
        if os.fork(): os._exit(0)
os.wait()
found = os.read(reader, 32).decode()
"""


def folders() -> list[Path]:
    """The folders that boxes in this process have on this machine, and those of the functions below them."""
    own = [folder for place in places() for folder in settles_in(place).glob(f"{PREFIX}{os.getpid()}-*")]
    return [*own, *(folder for parent in own for folder in parent.glob("f.*"))]


def _has_template(bench: Bench) -> bool:
    template = bench.supervisor.status("f").template
    return template is not None and alive(template.pid)


@pytest.mark.parametrize("code", [SHARED, MEMFD], ids=["shared", "memfd"])
def test_memory_that_no_rlimit_sees_is_bounded(on_bench: OnBench, code: str) -> None:
    """Shared mappings and memfds beyond `memory` end that instance, with the reason; its function goes on.

    Where the template forks for the next call, and what the instance had is not all given back yet, the kernel may end
    the template too: seen once, on a busy machine, 6 ms after the instance. Then another is made.
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING, memory_bytes=64 * MIB, scale=(0, 1))
        needs(bench, "memory")
        assert await bench.ask(code="found = 1") == "1"
        await bench.template()
        with pytest.raises(InstanceLost, match=r"more than its memory=67.1 MB .*raise `memory`"):
            await bench.ask(code=code)
        assert await bench.ask(code="found = 2") == "2"
        await bench.until(lambda: _has_template(bench), "a template is there, the same or another")

    on_bench(test)


@pytest.mark.parametrize("code", [SHARED, MEMFD], ids=["shared", "memfd"])
def test_beside_another_instance_the_one_that_took_the_memory_ends(on_bench: OnBench, code: str) -> None:
    """They have one bound together. Of mappings the kernel ends who has them; of files of memory that nobody maps maybe
    both: another function's instance goes on either way, and so does this function.
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING, memory_bytes=64 * MIB, scale=(2, 2))
        needs(bench, "memory")
        await bench.deploy(ANYTHING, number=2, name="other", scale=(1, 1))
        await bench.until(lambda: len(bench.pids()) == 2 and all(bench.pids()), "two instances")
        other = await bench.ask("other", code="import os; found = os.stat('/proc/self/ns/pid').st_ino")
        before = set(bench.pids())
        with pytest.raises(InstanceLost, match=r"memory"):
            await bench.ask(code=code)
        assert await bench.ask(code="found = 2") == "2"
        if code is SHARED:
            assert len(before & set(bench.pids())) == 1
        assert await bench.ask("other", code="import os; found = os.stat('/proc/self/ns/pid').st_ino") == other

    on_bench(test)


def test_many_processes_have_no_more_memory_than_one(on_bench: OnBench) -> None:
    """Each child within its own limit, all together beyond the function's: the kernel ends one of them alone."""

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING, memory_bytes=64 * MIB, scale=(0, 1), timeout_s=30.0)
        needs(bench, "memory")
        await bench.ask(code="found = 1")
        pid = bench.pids()
        assert await bench.ask(code=CROWD) == str(-signal.SIGKILL)
        assert bench.pids() == pid

    on_bench(test)


@pytest.mark.parametrize("where", [None, []], ids=["groups", "no groups"])
def test_a_process_left_behind_ends_with_its_instance(on_bench: OnBench, where: list[Place] | None) -> None:
    """Forked twice, in a session of its own, all descriptors closed; with control groups and without."""

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING, scale=(0, 2))
        needs(bench, "namespaces", *(["processes"] if where is None else []))
        left = host_pid(int(await bench.ask(code=DAEMON)))
        assert alive(left)
        with pytest.raises(InstanceLost):
            await bench.ask(code="import os; os._exit(7)")
        await bench.until(lambda: not alive(left), "what it left behind has ended")
        await bench.until(lambda: not Path(f"/proc/{left}").exists(), "it is reaped")
        assert await bench.ask(code="found = 1") == "1"

    on_bench(test, where)


def test_what_a_living_instance_started_goes_on(on_bench: OnBench) -> None:
    """The end of one instance takes nothing from another, without control groups either."""

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING, scale=(0, 1))
        needs(bench, "namespaces")
        left = host_pid(int(await bench.ask(code=DAEMON)))
        other = bench.revision(ANYTHING, number=2)
        await bench.supervisor.prepare(other)
        await bench.supervisor.discard(other)
        assert alive(left)
        await bench.supervisor.stop_function("f")
        assert not alive(left)

    on_bench(test, [])


def test_what_forks_and_ends_all_the_time_is_caught(on_bench: OnBench) -> None:
    """A process that is another one whenever it is looked at: in its group nothing new can start."""

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING, scale=(0, 1))
        needs(bench, "processes", "namespaces")
        assert await bench.ask(code=RESTLESS) == "1"
        await bench.supervisor.stop_function("f")
        cells = [folder for parent in folders() for folder in parent.iterdir() if folder.is_dir()]
        assert [cell for cell in cells if cell.name.isdigit()] == []

    on_bench(test)


def test_the_number_of_processes_is_the_functions_share(on_bench: OnBench) -> None:
    """pids.max is 64 for the template, for each instance that lives and for the next one, up to the most of scale."""

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING, scale=(0, 3))
        needs(bench, "processes")
        await bench.until(lambda: limits("pids.max") == {3 * (PROCESSES + 1)}, "one instance and the next")
        calls = [bench.submit(code="import time; time.sleep(0.5)") for _ in range(3)]
        await bench.until(lambda: limits("pids.max") == {4 * (PROCESSES + 1)}, "all that there may be")
        for call in calls:
            await call.future
        await bench.supervisor.stop_function("f")
        await bench.until(lambda: limits("pids.max") == {3 * (PROCESSES + 1)}, "the bound follows")

    on_bench(test)


def limits(file: str) -> set[int]:
    """What the groups of `f` are bounded to, in their files of that name."""
    files = [folder / file for folder in folders() if folder.name.startswith("f.")]
    return {int(file.read_text()) for file in files if file.exists()}


def test_a_bundle_does_not_set_the_boxs_bounds(on_bench: OnBench) -> None:
    """With scale=(0, 5000) and 64 MiB a function is deployed, and has less than the box's memory for functions."""
    budget = 512 * MIB

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING, scale=(0, 5000), memory_bytes=64 * MIB)
        assert await bench.ask(code="found = 1") == "1"
        needs(bench, "memory", "processes")
        await bench.template()
        await bench.until(lambda: max(memory()) < budget, "its template was measured")
        assert max(limits("pids.max")) <= 4 * (PROCESSES + 1)

    def memory() -> set[int]:
        return limits("memory.limit_in_bytes") | limits("memory.max")

    on_bench(test, budget=MemoryBudget(budget, Forgetful()))


def test_what_is_imported_is_bounded_too(on_bench: OnBench) -> None:
    """A module that takes more than the box has for functions as it is imported gets a MemoryError."""

    async def test(bench: Bench) -> None:
        with pytest.raises(DeploymentRefused, match="MemoryError"):
            await bench.deploy(f"held = bytearray({2**40})\n{ANYTHING}", memory_bytes=16 * MIB)
        with pytest.raises(DeploymentRefused, match="MemoryError"):
            await bench.deploy(
                f"held = [bytearray({32 * MIB}) for _ in range(64)]\n{ANYTHING}", number=2, memory_bytes=MIB
            )

    on_bench(test, budget=MemoryBudget(256 * MIB, Forgetful()))


def test_no_group_is_left(on_bench: OnBench) -> None:
    """A revision's groups go with it, the box's with the box."""

    async def test(bench: Bench) -> None:
        await bench.deploy(ANYTHING)
        needs(bench, "processes")
        await bench.ask(code="found = 1")
        assert [folder for folder in folders() if folder.name.startswith("f.")]
        await bench.supervisor.remove("f")
        assert not [folder for folder in folders() if folder.name.startswith("f.")]

    on_bench(test)
    assert not folders()


def needs_version_1() -> None:
    """Skip where the control groups of this machine are not of version 1, or may not be used."""
    found = ControlGroups()
    found.close()
    if found.enforced["processes"] is not True or {place.version for place in places()} != {1}:
        pytest.skip(f"needs control groups of version 1: {found.enforced}")


def test_groups_of_a_dead_box_are_swept() -> None:
    """What still runs in them ends; those of a box that lives are left alone."""
    script = """
import os, signal, subprocess
from edgefn_runtime.cgroups.controlgroups import ControlGroups
groups = ControlGroups()
group = groups.group("f", 10)
with group.cgroup_fds() as cgroup_fds:
    child = subprocess.Popen(["sleep", "300"], preexec_fn=lambda: [os.write(one, b"0") for one in cgroup_fds])
print(child.pid, flush=True)
signal.pause()
"""
    needs_version_1()
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as box:
        assert box.stdout is not None
        orphan = int(box.stdout.readline())
        mine = [folder for place in places() for folder in place.folder.glob(f"{PREFIX}{box.pid}-*")]
        assert mine
        ControlGroups().close()
        assert alive(orphan)
        assert all(folder.is_dir() for folder in mine)
        box.kill()
    ControlGroups().close()
    eventually("what ran in the dead box's groups has ended", lambda: not alive(orphan))
    ControlGroups().close()
    assert not any(folder.exists() for folder in mine)


def test_a_boxs_groups_are_closed_to_other_users() -> None:
    """A lock of theirs on its folder would hold up its start, or keep the next box from sweeping what it left."""
    box = ControlGroups()
    try:
        mine = folders()
        if not mine:
            pytest.skip(f"no control groups: {box.enforced}")
        assert all(folder.stat().st_mode & 0o077 == 0 for folder in mine)
    finally:
        box.close()


def test_a_group_that_cannot_be_bounded_is_not_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor at the second start, which would find its folder there."""
    box = ControlGroups([Place(tmp_path, 1, ("pids",))])
    group = box.group("f", 10)

    def full(path: Path, text: str) -> int:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), str(path))

    monkeypatch.setattr(Path, "write_text", full)
    for _ in range(2):
        with pytest.raises(OSError, match=r"pids\.max"), group.cgroup_fds():
            pass
    box.close()


def test_boxes_that_start_at_the_same_moment_leave_each_other_their_groups() -> None:
    """Each sweeps what dead boxes left: never the folder that another has just made and not yet locked."""
    script = """
import sys
from edgefn_runtime.cgroups.controlgroups import ControlGroups
sys.stdin.readline()
for _ in range(60):
    groups = ControlGroups()
    with groups.group("f", 10).cgroup_fds():
        pass
    groups.close()
"""
    needs_version_1()
    boxes = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    with ThreadPoolExecutor(len(boxes)) as threads:
        ends = list(threads.map(lambda box: box.communicate("go\n")[1], boxes))
    assert [box.returncode for box in boxes] == [0] * len(boxes), "\n".join(ends)
