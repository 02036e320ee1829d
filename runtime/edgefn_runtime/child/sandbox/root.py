"""A process's own root: read-only binds of what it may read, its own tmp, devices and /proc, and nothing else.

Paths stay as they are on the machine, so what is imported already is still found. All of it but the process's own
folders is made ahead, in the spare child; only `show` and `enter` remain for the request.
"""

from __future__ import annotations

import errno
import functools
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from edgefn.system.syscalls import mount
from edgefn_runtime.child.sandbox import mounts, readable

SCRATCH: Final = "/dev/shm"
"""Where the private tmp is: no bundle and no library lies there, and POSIX shared memory is private with it."""
_OTHER_NAMES = ("/tmp", "/var/tmp")
_ANCHORS = ("/sys/kernel", "/sys/fs", "/mnt", "/srv", "/media", "/boot")
"""Folders where the root can be assembled: one that exists and of which nothing is bound."""
_LINKS = {"/dev/fd": "/proc/self/fd", "/dev/stdin": "fd/0", "/dev/stdout": "fd/1", "/dev/stderr": "fd/2"}
_FIRST_BYTES = 2**20
_MAX_LINKS = 40


class RootStep(NamedTuple):
    """A link to make, or a path to bind when `link` is empty."""

    path: str
    link: str = ""


class Root:
    """A root that is being put together in this process's mount namespace."""

    def __init__(self, *, processes: bool) -> None:
        """Bind what every function may read. Raises OSError.

        With `processes`, /proc shows this PID namespace alone.
        """
        self._anchor = next((path for path in _ANCHORS if os.path.isdir(path)), "")
        if not self._anchor:
            raise OSError(errno.ENOENT, "no folder to assemble the root in", _ANCHORS[0])
        self._folders: set[str] = set()
        os.umask(0o022)  # the folders that are made here are for all
        mounts.memory(self._anchor, "size=8m,nr_inodes=4000,mode=0755")
        self._mount_scratch()
        known = plan(readable.named())  # in the zygote; what is gone since is not there to be read
        self._follow(step for step in known if step.link or os.path.exists(step.path))
        mounts.restrict(self._anchor)  # all in one; what it is too much for follows
        for path in ("", SCRATCH, *_OTHER_NAMES):
            mounts.allow_writing(self._anchor + path)
        for path in readable.DEVICES:
            self._bind(path, path, folder=False)
        for path, target in _LINKS.items():
            os.symlink(target, self._anchor + path)
        self._mount_processes(own=processes)

    def warm_up(self) -> None:
        """Look for what `show` would bind, and bind nothing."""
        _open_to_others("/")
        self._apart((os.path.realpath("/nonexistent/bundle"),))

    def show(self, read: Iterable[str], write: Iterable[str] = ()) -> None:
        """Bind `read`, read-only, and the folders `write` at their own paths. Raises OSError."""
        for path in map(os.path.realpath, read):
            _open_to_others(path)
        for steps, may_write in ((self._apart(read), False), (self._apart(write), True)):
            for path in self._follow(steps):
                mounts.restrict(self._anchor + path, write=may_write)

    def show_device(self, node: int, path: str) -> None:
        """Bind the device that was opened as `node` at `path`. Raises OSError."""
        self._bind(node, path, folder=False)

    def enter(self, scratch_bytes: int) -> None:
        """Make it this process's root, for good; its tmp holds `scratch_bytes`. Raises OSError."""
        mounts.resize(self._anchor + SCRATCH, f"size={scratch_bytes},nr_inodes=10000")
        mounts.change_root(self._anchor)
        mounts.follow_nobody()
        mounts.allow_writing("/", allowed=False)

    def _mount_scratch(self) -> None:
        self._folder(SCRATCH)
        mounts.memory(self._anchor + SCRATCH, f"size={_FIRST_BYTES},nr_inodes=10000,mode=1777")
        for name in _OTHER_NAMES:
            self._folder(name)
            mount(self._anchor + SCRATCH, self._anchor + name, "", mounts.BIND)

    def _mount_processes(self, *, own: bool) -> None:
        self._folder("/proc")
        if own:
            flags = mounts.NO_SET_UID | mounts.NO_DEVICES | mounts.NO_EXECUTE
            mount("proc", f"{self._anchor}/proc", "proc", flags, "hidepid=2")
        else:
            mounts.bind("/proc", f"{self._anchor}/proc")
            mounts.restrict(f"{self._anchor}/proc")

    def _follow(self, steps: Iterable[RootStep]) -> list[str]:
        """Make links and binds; return the paths that were bound."""
        bound = []
        for step in steps:
            if not step.link:
                self._bind(step.path, step.path, folder=os.path.isdir(step.path))
                bound.append(step.path)
            elif not os.path.lexists(self._anchor + step.path):
                self._folder(os.path.dirname(step.path))
                os.symlink(step.link, self._anchor + step.path)
        return bound

    def _apart(self, paths: Iterable[str]) -> tuple[RootStep, ...]:
        """Return the steps that show `paths`.

        Raises OSError where one lies below what every function may read: its neighbours would be open, too.
        """
        steps = plan(tuple(paths))
        for step in steps:
            for root in readable.roots():
                if not step.link and readable.below(step.path, root):
                    why = f"the box's home lies below {root}, which every function may read: move it"
                    raise OSError(errno.EINVAL, why, step.path)
        return steps

    def _bind(self, source: str | int, path: str, *, folder: bool) -> None:
        if folder:
            self._folder(path)
        else:
            self._folder(os.path.dirname(path))
            os.close(os.open(self._anchor + path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
        mounts.bind(source, self._anchor + path)

    def _folder(self, path: str) -> None:
        if path not in self._folders:
            os.makedirs(self._anchor + path, mode=0o755, exist_ok=True)
            self._folders.add(path)


@functools.cache
def plan(paths: tuple[str, ...]) -> tuple[RootStep, ...]:
    """Return the steps that make each of `paths` found by its own name.

    They are links as they are, and the real files and folders. What lies below a folder that is bound is there already,
    links and all.
    """
    links: dict[str, str] = {}
    real = {_resolve(path, links) for path in paths}
    whole = sorted(path for path in real if not any(readable.below(path, other) for other in real - {path}))
    outside = {path: to for path, to in links.items() if not any(readable.below(path, root) for root in whole)}
    return (*(RootStep(path, to) for path, to in outside.items()), *map(RootStep, whole))


def _resolve(path: str, links: dict[str, str]) -> str:
    """Return the real path of `path`; add the links on the way to `links`."""
    for _ in range(_MAX_LINKS):
        for prefix in _prefixes(path):
            if os.path.islink(prefix):
                to = links.setdefault(prefix, os.readlink(prefix))
                path = os.path.normpath(os.path.join(os.path.dirname(prefix), to, path[len(prefix) + 1 :]))
                break
        else:
            return path
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _prefixes(path: str) -> Iterator[str]:
    parts = path.strip("/").split("/")
    yield from ("/" + "/".join(parts[: count + 1]) for count in range(len(parts)))


def _open_to_others(folder: str) -> None:
    """Let other users read `folder`, which lies in the box's closed home: the function is one of them.

    Does nothing where they may already. Never follows a link. Raises OSError.
    """
    if os.stat(folder).st_mode & 0o005 == 0o005 or not os.path.isdir(folder):
        return
    for _, folders, files, parent in os.fwalk(folder, topdown=False):
        for name in (*folders, *files):
            _add_mode(name, parent)
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(top, stat.S_IMODE(os.fstat(top).st_mode) | 0o055)  # last: it tells that the others are done
    finally:
        os.close(top)


def _add_mode(name: str, parent: int) -> None:
    found = os.lstat(name, dir_fd=parent)
    if not stat.S_ISDIR(found.st_mode) and not stat.S_ISREG(found.st_mode):
        return
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    try:
        found = os.fstat(descriptor)
        execute = found.st_mode & 0o100 and 0o011
        os.fchmod(descriptor, stat.S_IMODE(found.st_mode) | 0o044 | execute)
    finally:
        os.close(descriptor)
