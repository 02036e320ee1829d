"""Control groups (cgroups(7)): one for each function on the box, below the box's own; version 1 and version 2.

They bound what a function's processes use together, whichever of them uses it: memory, also of shared mappings and
memfds, which no rlimit sees; processes; and the share of the processor, so that no function starves another or the box.
Owns the folders it makes and no other. Where none can be made it gives the reason, and everything else works without.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import secrets
import signal
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from edgefn.system.cgroup_mounts import CONTROLLERS, Place, places

PREFIX = "edgefn-"
LEAF = "box"
"""The box's own group with version 2, which allows processes only in leaves; systemd's DelegateSubgroup=box."""

LAYERS = {"memory": "memory", "pids": "processes", "cpu": "cpu"}
"""What `edgefn box info` calls a controller."""


class Names(NamedTuple):
    """The file names of one version of cgroups; the weight of a group that counts as one process, and the most."""

    memory: str
    cpu: str
    weight: int
    most: int
    events: str


_VERSIONS = {
    1: Names("memory.limit_in_bytes", "cpu.shares", 1024, 262_144, "memory.oom_control"),
    2: Names("memory.max", "cpu.weight", 100, 10_000, "memory.events"),
}


class Tree(NamedTuple):
    """The box's folder in one hierarchy, below which the functions' are; locked as long as the box lives."""

    folder: Path
    version: int
    controllers: tuple[str, ...]
    lock: int


class ControlGroups:
    """The groups of one box. `enforced` holds for each layer True, or why this machine does not enforce it."""

    def __init__(self, found: Sequence[Place] | None = None) -> None:
        self._trees: list[Tree] = []
        self._numbers = itertools.count(1)
        self.enforced: dict[str, bool | str] = dict.fromkeys(
            LAYERS.values(), "this machine has no control group of this kind"
        )
        for place in places() if found is None else found:
            self._settle(place)

    def _settle(self, place: Place) -> None:
        try:
            tree = _plant(place)
        except OSError as error:
            why = f"{place.folder} cannot be used: {error.strerror or error}"
            self.enforced |= {LAYERS[name]: why for name in place.controllers}
            return
        self._trees.append(tree)
        self.enforced |= {LAYERS[name]: f"{place.folder} does not delegate it" for name in place.controllers}
        self.enforced |= {LAYERS[name]: True for name in tree.controllers}

    def group(self, function: str, processes: int) -> FunctionGroup:
        """Make a group for one revision of `function`, with at most `processes` at first.

        Its folder is made when a process first enters it.
        """
        return FunctionGroup(self._trees, f"{function}.{next(self._numbers)}", processes)

    def close(self) -> None:
        """Remove the box's folders, unless a process still runs there: the next box sweeps that."""
        for tree in self._trees:
            clear(tree.folder)
            os.close(tree.lock)
        self._trees.clear()


class FunctionGroup:
    """The group of a revision's template and instances, in every hierarchy that exists. All calls may be repeated."""

    def __init__(self, trees: Sequence[Tree], name: str, processes: int) -> None:
        self._trees = trees
        self.name = name
        self._processes = processes
        self._memory_bytes: int | None = None
        self._kills = 0
        self._is_held = False

    @property
    def there(self) -> bool:
        """Tell whether this machine has any group to make."""
        return bool(self._trees)

    @contextlib.contextmanager
    def cgroup_fds(self) -> Iterator[list[int]]:
        """Open descriptors by which a child enters the group, and close them afterwards.

        Raises OSError where one cannot be made. Only for a child that has not run a user's code: a process with a
        descriptor that the box has opened can move any process. Of version 1 it is the file `tasks`: a process of one
        thread that writes itself there need not wait (0.04 ms), while `cgroup.procs` waits for all other processors (5
        to 15 ms). Of version 2, which has no `tasks` any more, it is the folder, for clone3 to fork into.
        """
        self._allow_processes()
        opened: list[int] = []
        try:
            for folder, tree in self._folders():
                self._make(folder, tree)
                opened.append(_open_entrance(folder, tree.version))
            yield opened
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def limit_memory(self, size_bytes: int) -> None:
        """Limit all its processes together to `size_bytes`, from now on or from when the group is made."""
        self._memory_bytes = size_bytes
        for folder, tree in self._folders():
            if "memory" in tree.controllers and folder.is_dir():
                with contextlib.suppress(OSError):  # it uses more than that already: it keeps the bound it has
                    self._bound_memory(folder, tree)

    def limit_processes(self, count: int) -> None:
        """Limit the group to `count` processes and threads, from now on or from when it is made.

        Raises OSError.
        """
        self._processes = count
        for folder, tree in self._folders():
            if "pids" in tree.controllers and folder.is_dir():
                _write(folder / "pids.max", str(count))

    def ran_out(self) -> bool:
        """Tell whether the kernel has killed one of its processes for memory since the last call of this."""
        before, self._kills = self._kills, self._killed()
        return self._kills > before

    def empty(self) -> bool:
        """Kill whatever is in the group, and let nothing new start there meanwhile; True when nothing is left.

        Only for a group that should have no process: what is in it then is left over.
        """
        left = {folder: pids for folder, _ in self._folders() if (pids := _inside(folder))}
        self._is_held = self._is_held or bool(left)
        for folder, pids in left.items():
            with contextlib.suppress(OSError):
                _write(folder / "pids.max", "0")
            _kill(pids)
        if not left:
            self._allow_processes()
        return not left

    def close(self) -> bool:
        """Kill whatever is in the group and remove it; return False when the kernel needs another moment."""
        still = [folder for folder, _ in self._folders() if not clear(folder)]
        return not still

    def _folders(self) -> Iterator[tuple[Path, Tree]]:
        for tree in self._trees:
            yield tree.folder / self.name, tree

    def _make(self, folder: Path, tree: Tree) -> None:
        if folder.is_dir():
            return
        folder.mkdir()
        try:
            if "memory" in tree.controllers:
                self._bound_memory(folder, tree)
            if "pids" in tree.controllers:
                (folder / "pids.max").write_text(str(self._processes))
            if "cpu" in tree.controllers:
                _weigh(folder, tree.version)
        except OSError:
            folder.rmdir()  # else the next start would find it, and be bounded by nothing
            raise

    def _allow_processes(self) -> None:
        for folder, tree in self._folders() if self._is_held else ():
            if "pids" in tree.controllers:
                with contextlib.suppress(OSError):
                    _write(folder / "pids.max", str(self._processes))
        self._is_held = False

    def _bound_memory(self, folder: Path, tree: Tree) -> None:
        if self._memory_bytes is not None:
            (folder / _VERSIONS[tree.version].memory).write_text(str(self._memory_bytes))
            if tree.version == 2:
                with contextlib.suppress(OSError):  # a kernel without swap has no such file
                    (folder / "memory.swap.max").write_text("0")

    def _killed(self) -> int:
        for folder, tree in self._folders():
            if "memory" in tree.controllers:
                with contextlib.suppress(OSError):
                    lines = (folder / _VERSIONS[tree.version].events).read_text("ascii").splitlines()
                    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        return 0


def clear(folder: Path) -> bool:
    """Kill every process below `folder` and remove it; return False when some are still dying.

    Nothing new starts there meanwhile.
    """
    for file, text in (("pids.max", "0"), ("cgroup.kill", "1")):
        with contextlib.suppress(OSError):
            _write(folder / file, text)
    below: list[Path] = []
    with contextlib.suppress(OSError):
        below = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    still = [one for one in below if not clear(one)]
    _kill(_inside(folder))
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not still


def settles_in(place: Place) -> Path:
    """Return the group below which a box makes its folder: its own, or its parent where it is a leaf."""
    return place.folder.parent if place.version == 2 and place.folder.name == LEAF else place.folder


def _plant(place: Place) -> Tree:
    """Make the box's folder in `place`, and sweep what dead boxes left there. Raises OSError."""
    own = settles_in(place)
    if place.version == 2:
        _make_room(own)
    folder, lock = _own_folder(own)
    for stale in own.glob(f"{PREFIX}*"):
        _sweep(stale)
    controllers = _hand_down(folder, place.controllers) if place.version == 2 else place.controllers
    if "cpu" in controllers:
        _weigh(folder, place.version)
    return Tree(folder, place.version, controllers, lock)


def _own_folder(own: Path) -> tuple[Path, int]:
    """Make a new folder of this box below `own`; return it and its lock. Raises OSError.

    It is closed to other users: with a lock of theirs on it they would hold up this box, or keep others from sweeping.
    A box that starts at the same moment may sweep it between its making and its locking: then another is made.
    """
    while True:
        folder = own / f"{PREFIX}{os.getpid()}-{secrets.token_hex(3)}"
        folder.mkdir(0o700)
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.is_dir():
                return folder, lock
            os.close(lock)


def _sweep(stale: Path) -> None:
    """Remove `stale` if the box that owns it has ended.

    The lock shows that; pids would not, because they may be of several namespaces.
    """
    try:
        descriptor = os.open(stale, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        clear(stale)
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)


def _make_room(own: Path) -> None:
    """Move the box out of `own` (version 2) into a leaf below it, and hand down the controllers of `own`.

    A group with processes cannot hand them down. Raises OSError where processes of others are in `own`.
    """
    if (own / "cgroup.type").exists():  # all but the root, which may do both
        if any(not _is_ours(pid) for pid in _inside(own)):
            raise PermissionError(
                0, "other processes are in the control group; run the box as a service with Delegate=yes"
            )
        (own / LEAF).mkdir(exist_ok=True)
        _empty(own, own / LEAF)
    _hand_down(own, CONTROLLERS)


def _empty(own: Path, leaf: Path) -> None:
    """Move this process and all others of `own` to `leaf`, those that are born there meanwhile, too.

    With one process left no controller can be handed down, and functions would have no bounds.
    """
    inside = [os.getpid()]
    while inside:
        for pid in inside:
            with contextlib.suppress(ProcessLookupError):
                _write(leaf / "cgroup.procs", str(pid))
        inside = _inside(own)


def _is_ours(pid: int) -> bool:
    """Tell whether `pid` is the box or descends from it, as the zygote does.

    A process that has ended counts as ours, because it is no longer another's.
    """
    while pid > 1 and pid != os.getpid():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
        except OSError:
            return True
        pid = int(stat.rpartition(")")[2].split()[1])
    return pid == os.getpid()


def _hand_down(folder: Path, controllers: Sequence[str]) -> tuple[str, ...]:
    """Give the available ones of `controllers` to the groups below `folder`; return those given."""
    for name in controllers:
        with contextlib.suppress(OSError):  # it is not to be had here
            _write(folder / "cgroup.subtree_control", f"+{name}")
    given = (folder / "cgroup.subtree_control").read_text("ascii").split()
    return tuple(name for name in controllers if name in given)


def _weigh(folder: Path, version: int) -> None:
    """Give the group the CPU weight of one process per core, however many processes it has."""
    names = _VERSIONS[version]
    (folder / names.cpu).write_text(str(min(names.most, names.weight * (os.cpu_count() or 1))))


def _open_entrance(folder: Path, version: int) -> int:
    if version == 1:
        return os.open(folder / "tasks", os.O_WRONLY | os.O_CLOEXEC)
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _inside(folder: Path) -> list[int]:
    """Return the processes of a group, without 0, which is a process of another PID namespace."""
    try:
        return [pid for pid in map(int, (folder / "cgroup.procs").read_text("ascii").split()) if pid]
    except OSError:
        return []


def _write(file: Path, text: str) -> None:
    """Write to a file of the kernel's. Raises OSError; never creates a file."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
