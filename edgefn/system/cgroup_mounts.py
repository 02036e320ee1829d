"""The place of a process in the kernel's control groups (cgroups(7)), version 1 and 2. Reads, changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CONTROLLERS = ("memory", "pids", "cpu")


class Place(NamedTuple):
    """The process's own group in one hierarchy, and which of CONTROLLERS its children may have there."""

    folder: Path
    version: int
    controllers: tuple[str, ...]


def places(process: Path = Path("/proc/self")) -> list[Place]:
    """List the hierarchies of `process` that have a controller.

    Version 1 has one for each controller, version 2 has one for all.
    """
    try:
        paths = _paths((process / "cgroup").read_text("utf-8"))
        mounts = (process / "mountinfo").read_text("utf-8").splitlines()
    except OSError:
        return []
    found: dict[str, Place] = {}
    for place in filter(None, (_place(line, paths) for line in mounts)):
        found.setdefault(place.controllers[0], place)  # a hierarchy may be mounted twice
    return list(found.values())


def upwards(group: Path) -> Iterator[Path]:
    """Yield the group and those above it, as far as this process can see them."""
    while (group / "cgroup.procs").exists():
        yield group
        group = group.parent


def _paths(text: str) -> dict[str, str]:
    """Parse the group's path by controller, "" for version 2, from lines such as 4:memory:/shop/till."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    return paths


def _place(line: str, paths: dict[str, str]) -> Place | None:
    """Parse one line of mountinfo (proc(5)); return None unless it mounts a hierarchy with a controller."""
    mount, _, kind = line.partition(" - ")
    root, point = mount.split()[3:5]
    match kind.split():
        case ["cgroup", _, options]:
            there = [name for name in CONTROLLERS if name in options.split(",")]
            folder = _folder(Path(point), root, paths.get(there[0], "")) if there else None
            return Place(folder, 1, tuple(there)) if folder is not None else None
        case ["cgroup2", _, _]:
            folder = _folder(Path(point), root, paths.get("", ""))
            there = _listed(folder / "cgroup.controllers") if folder is not None else []
            return Place(folder, 2, tuple(there)) if folder is not None and there else None
    return None


def _folder(point: Path, root: str, path: str) -> Path | None:
    """Return the folder of the group `path` where the group `root` is mounted at `point`.

    None when the group is not below it.
    """
    below = path.removeprefix(root.rstrip("/"))
    if not path.startswith("/") or (below == path and root != "/"):
        return None
    folder = point / below.lstrip("/")
    return folder if folder.is_dir() else None


def _listed(file: Path) -> list[str]:
    try:
        names = file.read_text("ascii").split()
    except OSError:
        return []
    return [name for name in CONTROLLERS if name in names]
