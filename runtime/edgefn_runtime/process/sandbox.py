"""What stands between a user's code and the machine: every layer, put on in the one order that works.

Between the fork and the first line of the user's code, by system calls alone. Forks inherit it all, so an instance
costs nothing more. A layer that this kernel does not have is reported as not enforced; one that `probe` found and
that fails later keeps the program from being loaded.
"""

from __future__ import annotations

import errno
import functools
import os
import resource
import stat
import sys
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from edgefn_runtime.process import birth, identity, landlock, namespaces, seccomp
from edgefn_runtime.wire.messages import Program

Enforcement = dict[str, bool | str]
"""By layer: True, or why this machine does not enforce it."""

SCRATCH: Final = "/dev/shm"
"""Where the private tmp is mounted: no bundle and no library lies there, and POSIX shared memory is private with it."""
SCRATCH_SHARE = 4
"""The private tmp holds at most this part of the function's memory: it is memory."""

_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/proc", "/sys/devices/system")
_PUBLIC_SETTINGS = (
    *("alternatives", "ca-certificates", "fonts", "pki", "ssl"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "locale.alias", "mime.types"),
    *("hosts", "host.conf", "gai.conf", "nsswitch.conf", "resolv.conf", "services", "protocols"),
    *("passwd", "group", "os-release", "OpenCL"),
)
"""Below /etc, what libraries look up and no secret is in: not all of it, for root's child could read shadow."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_CODE_FOLDERS = {"bin", "include", "lib", "lib32", "lib64", "libexec", "local", "share"}
_CODE_SUFFIXES = (".py", ".so", ".pth", ".dist-info", ".egg-info")


class NotEnforced(Exception):
    """A layer that this machine enforces failed for this child: it must not run."""


def enter(program: Program, expected: Enforcement) -> Enforcement:
    """This process and its forks are confined to what `program` may do. Raises NotEnforced.

    `expected` is what `probe` found: each of its layers that is True must be so here.
    """
    found: Enforcement = {}
    network = program.network
    own = program.uid or identity.uid_of(program.function, program.box_pid)
    uid = own if os.geteuid() == 0 else os.geteuid()
    file_bytes = program.file_bytes
    _layer(found, "namespaces", lambda: namespaces.enter(network=network))
    tmp_bytes = max(program.memory_bytes // SCRATCH_SHARE, 2**20)
    _layer(found, "tmp", lambda: namespaces.mount_scratch(SCRATCH, tmp_bytes, uid), needs="namespaces")
    tmp = SCRATCH if found["tmp"] is True else _shared_tmp(program.function)
    _layer(found, "own_user", lambda: _take_user(uid, program), needs="tmp")
    _layer(found, "capabilities", lambda: identity.drop_privileges(keep_reading=_has_landlock()))
    _layer(found, "file_size", lambda: birth.lower_limit(resource.RLIMIT_FSIZE, file_bytes or tmp_bytes))
    _layer(found, "files", lambda: _restrict_files(program, tmp))
    _layer(found, "tcp", lambda: _expect_landlock(landlock.TCP_ABI), needs="files")
    _layer(found, "signals", lambda: _expect_landlock(landlock.SCOPE_ABI), needs="files")
    _layer(found, "system_calls", lambda: seccomp.restrict(network=network))
    _layer(found, "dies_with_box", lambda: _die_with(program.box_pid))
    _settle(tmp)
    lost = {name: why for name, why in found.items() if why is not True and expected.get(name) is True}
    if lost:
        raise NotEnforced("; ".join(f"{name}: {why}" for name, why in lost.items()))
    return found


def leave_alone() -> None:
    """An instance, just forked, can signal neither its template nor its siblings."""
    try:
        landlock.stand_alone()
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP):
            raise


def probe() -> Enforcement:
    """What this machine enforces for a function without options, as a short child found out that tried it all."""
    _roots()
    seccomp.prepared(network=False)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            birth.die_with_parent()
            os.write(writer, msgspec.json.encode(enter(_NOBODYS, {})))
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        found = answer.read()
    os.waitpid(child, 0)
    return msgspec.json.decode(found, type=Enforcement) if found else {"sandbox": "the probe died"}


_NOBODYS = Program("probe", "", "/nonexistent/code", "", (), 2**26, 1, 0)


def _layer(found: Enforcement, name: str, put_on: Callable[[], object], needs: str = "") -> None:
    if needs and found[needs] is not True:
        found[name] = f"needs {needs}"
        return
    try:
        put_on()
        found[name] = True
    except OSError as error:
        found[name] = " ".join(filter(None, [error.filename, error.strerror])) or str(error)


def _has_landlock() -> bool:
    try:
        return landlock.abi() > 0
    except OSError:
        return False


def _expect_landlock(version: int) -> None:
    if landlock.abi() < version:
        raise OSError(errno.EOPNOTSUPP, f"Landlock here has ABI {landlock.abi()}, this needs {version}")


def _restrict_files(program: Program, tmp: str) -> None:
    landlock.restrict(
        read=_readable(program),
        write=[tmp, *program.writes],
        devices=_DEVICES,
        network=program.network,
        control=program.devices,
    )


def _take_user(uid: int, program: Program) -> None:
    """Its own user; where Landlock says which, with the groups that its devices are for."""
    groups = identity.groups_of(program.devices) if _has_landlock() else []
    if os.geteuid() == 0:
        for folder in program.writes:
            os.chown(folder, uid, uid, follow_symlinks=False)
    identity.take(uid, program.processes, groups)


def _readable(program: Program) -> Iterator[str]:
    bundle = os.path.dirname(os.path.realpath(program.code))
    yield bundle
    yield from (served.folder for served in program.models)
    yield from program.reads
    for root in _roots():
        yield from _clear_of(bundle, root)


@functools.cache
def _roots() -> tuple[str, ...]:
    """What every function may read, found once, in the zygote: the system's code, this Python's, public settings."""
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    settings = (f"/etc/{name}" for name in _PUBLIC_SETTINGS)
    named = [*_SYSTEM, sys.prefix, sys.base_prefix, *sys.path, *libraries, *settings]
    there = sorted({os.path.realpath(path) for path in named if path.startswith("/") and os.path.exists(path)})
    return tuple(path for path in there if not any(_below(path, root) for root in there if root != path))


def _clear_of(bundle: str, root: str) -> Iterator[str]:
    """`root`; or, should the box's home lie below it, only the code in it: never another function's or the token."""
    if not _below(bundle, root):
        yield root
        return
    for entry in os.scandir(root):
        if _holds_code(entry) and not _below(bundle, entry.path):
            yield entry.path


def _holds_code(entry: os.DirEntry[str]) -> bool:
    known = entry.name in _CODE_FOLDERS or entry.name.endswith(_CODE_SUFFIXES)
    return known or os.path.exists(os.path.join(entry.path, "__init__.py"))


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _die_with(box_pid: int) -> None:
    """Again, after the last change of credentials: that clears the parent-death signal (prctl(2))."""
    birth.die_with_parent()
    if box_pid and os.getppid() != box_pid:
        raise OSError(errno.ESRCH, "the box died meanwhile")


def _shared_tmp(function: str) -> str:
    """Where no mount is allowed: a folder of this user and function in the machine's own tmp, left there at the end."""
    from tempfile import gettempdir

    folder = os.path.join(gettempdir(), f"edgefn-{os.geteuid()}-{function}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise NotEnforced(f"{folder} is not a private folder of this user: remove it")
    return folder


def _settle(tmp: str) -> None:
    """Whatever looks for a place to write finds the private tmp."""
    os.environ.update(HOME=tmp, TMPDIR=tmp)
    if "tempfile" in sys.modules:
        sys.modules["tempfile"].tempdir = None  # type: ignore[attr-defined]  # what it had found before
