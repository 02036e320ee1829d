"""Every layer of the sandbox, put on in the one order that works.

A layer that this kernel does not have is reported as not enforced. One that `probe` found and that fails later keeps
the program from being loaded.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import sys
from collections.abc import Callable, Iterator, Sequence

import msgspec

from edgefn.system.nodes import open_node
from edgefn_runtime.child.fork import process
from edgefn_runtime.child.sandbox import identity, init, landlock, mounts, namespaces, readable, seccomp
from edgefn_runtime.child.sandbox.confinement import Confinement
from edgefn_runtime.child.sandbox.root import SCRATCH, Root, plan

Enforcement = dict[str, bool | str]
"""By layer: True, or why this machine does not enforce it."""


class NotEnforced(Exception):
    """A layer that this machine enforces failed for this child: it must not run."""


class _Prepared:
    """The layers put on before the function is known: namespaces without a network, and a root in the making."""

    def __init__(self, *, network: bool) -> None:
        self.network = network
        self.found: Enforcement = {}
        self.root: Root | None = None
        _layer(self.found, "namespaces", lambda: namespaces.enter(network=network))
        _layer(self.found, "own_pids", _expect_own_pids)
        _layer(self.found, "own_root", self._build, needs="namespaces")

    def _build(self) -> None:
        self.root = Root(processes=self.found["own_pids"] is True)


_ahead: _Prepared | None = None


def prepare(*, network: bool) -> None:
    """Put on the layers that can come before the function is known, with or without the network."""
    global _ahead
    _ahead = _Prepared(network=network)


def warm_up(expected: Enforcement) -> None:
    """Play through the steps of `enter` as far as they can be undone.

    The pages that these steps write are then this process's own: a fork shares all memory with its parent, and the
    first touch of each page costs more than the steps themselves. `expected` is what `probe` found.
    """
    if (prepared := _ahead) is None:
        return
    _settle(SCRATCH)
    with contextlib.suppress(OSError):
        landlock.warm_up(read=["/"], write=[SCRATCH], devices=readable.DEVICES, network=prepared.network)
    with contextlib.suppress(OSError):
        seccomp.warm_up(network=prepared.network, gaps=_gaps(expected))
    if prepared.root is not None:
        prepared.root.warm_up()


def enter(confinement: Confinement, expected: Enforcement) -> Enforcement:
    """Confine this process and its forks to what `confinement` names. Raises NotEnforced.

    `expected` is what `probe` found: each of its layers that is True must hold here too. A process that is to run as
    its present user keeps that user, and may lack the layer `own_user`.
    """
    stays = confinement.uid == os.geteuid()
    prepared = _ahead or _Prepared(network=confinement.network)
    with _opened(confinement.devices) as nodes:
        found, tmp = _put_on(prepared, confinement, nodes)
    _settle(tmp)
    lost = {name: why for name, why in found.items() if why is not True and expected.get(name) is True}
    if stays:
        lost.pop("own_user", None)
    if lost:
        raise NotEnforced("; ".join(f"{name}: {why}" for name, why in lost.items()))
    return found


def leave_alone() -> None:
    """Keep this process, an instance that was just forked, from signalling its template and its siblings."""
    try:
        landlock.stand_alone()
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP):
            raise


def probe(
    enter_processes: Callable[[], None] = lambda: None, tell: Callable[[Exception], object] = lambda _: None
) -> Enforcement:
    """Return the layers that this machine enforces for a function without options.

    A short child tries them all; the result is {} if it dies. `enter_processes` puts its caller's children into a PID
    namespace. `tell` is called in the child with the error that ends it.
    """
    readable.closed_to_others()
    plan(readable.named())  # once, for all forks
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            enter_processes()
            if (inside := os.fork()) != 0:
                os.waitpid(inside, 0)
            else:
                process.die_with_parent()
                os.write(writer, msgspec.json.encode(enter(Confinement("probe", uid=identity.anybody()), {})))
        except Exception as error:
            tell(error)
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        found = answer.read()
    os.waitpid(child, 0)
    return msgspec.json.decode(found, type=Enforcement) if found else {}


def _put_on(prepared: _Prepared, confinement: Confinement, nodes: Sequence[int]) -> tuple[Enforcement, str]:
    """Put the layers on; return which of them hold, and the folder for temporary files."""
    found, root = prepared.found, prepared.root
    if root is not None:
        found.pop("own_root")
        _layer(found, "own_root", lambda: _change_root(root, confinement, nodes))
    own_root = found["own_root"] is True
    if own_root:
        found["tmp"] = True
    else:
        _layer(found, "tmp", lambda: _mount_tmp(confinement), needs="namespaces")
    uid = confinement.uid if os.geteuid() == 0 else os.geteuid()
    tmp = SCRATCH if found["tmp"] is True else _shared_tmp(confinement.name, uid)
    _layer(found, "own_user", lambda: _take_user(confinement, nodes, own_root))
    _layer(found, "capabilities", lambda: _drop_capabilities(own_root, found["own_user"] is True))
    size = confinement.file_bytes
    _layer(found, "file_size", lambda: process.lower_limit(resource.RLIMIT_FSIZE, size))
    _layer(found, "files", lambda: _restrict_files(confinement, nodes, tmp, own_root))
    gaps = _gaps(found)
    _layer(found, "system_calls", lambda: seccomp.restrict(network=confinement.network, gaps=gaps))
    _layer(found, "tcp", lambda: _expect_no_tcp(found, confinement))
    _layer(found, "signals", lambda: _expect_no_signals(found))
    _layer(found, "dies_with_box", lambda: _die_with(confinement.box_pid))
    return found, tmp


def _layer(found: Enforcement, name: str, put_on: Callable[[], object], needs: str = "") -> None:
    if needs and found[needs] is not True:
        found[name] = f"needs {needs}"
        return
    try:
        put_on()
        found[name] = True
    except OSError as error:
        found[name] = " ".join(filter(None, [error.filename, error.strerror])) or str(error)


def _expect_own_pids() -> None:
    if not init.inside():
        raise OSError(errno.EPERM, "the kernel does not allow this user a PID namespace")


def _change_root(root: Root, confinement: Confinement, nodes: Sequence[int]) -> None:
    root.show(confinement.read, confinement.write)
    for node, path in zip(nodes, confinement.devices, strict=True):
        root.show_device(node, path)
    root.enter(confinement.tmp_bytes)


def _mount_tmp(confinement: Confinement) -> None:
    mounts.memory(SCRATCH, f"size={confinement.tmp_bytes},nr_inodes=10000,mode=1777")


def _take_user(confinement: Confinement, nodes: Sequence[int], own_root: bool) -> None:
    """Take the function's own user, with the groups that its devices belong to.

    Where no other layer restricts reading, the process keeps the box's user: the home is closed to others.
    """
    if not own_root and not _has_landlock():
        raise OSError(errno.EPERM, "needs own_root or files")
    identity.take(confinement.uid, confinement.processes, identity.groups_of(nodes))


def _drop_capabilities(own_root: bool, own_user: bool) -> None:
    """Drop all capabilities, where the files to read are bound already and readable by others.

    Otherwise one stays, because the box's home is closed; Landlock then restricts what may be read.
    """
    closed = readable.closed_to_others() if own_root and own_user else ""
    identity.drop_privileges(keep_reading=(bool(closed) or not own_root) and _has_landlock())
    if closed:
        why = (
            f"CAP_DAC_READ_SEARCH stays, because only its owner can read {closed}: let others read it (chmod -R go+rX)"
        )
        raise OSError(errno.EACCES, why)


def _has_landlock() -> bool:
    try:
        return landlock.abi() > 0
    except OSError:
        return False


def _restrict_files(confinement: Confinement, nodes: Sequence[int], tmp: str, own_root: bool) -> None:
    landlock.restrict(
        read=["/"] if own_root else _readable(confinement),
        write=[tmp, *confinement.write],
        devices=readable.DEVICES,
        network=confinement.network,
        control=nodes,
    )


def _readable(confinement: Confinement) -> Iterator[str]:
    """Yield the paths that Landlock opens where the process shares the machine's root."""
    bundle = os.path.realpath(confinement.read[0]) if confinement.read else "/nonexistent"
    yield from confinement.read
    yield "/proc"
    for root in readable.roots():
        yield from readable.clear_of(bundle, root)


def _expect_no_tcp(found: Enforcement, confinement: Confinement) -> None:
    """Check that TCP is closed, or open on purpose with `network`.

    An own network, which is down, and forbidden system calls each close it as Landlock does.
    """
    if found["namespaces"] is True or found["system_calls"] is True or confinement.network:
        return
    if landlock.abi() < landlock.TCP_ABI:
        raise OSError(errno.EOPNOTSUPP, f"needs Landlock ABI {landlock.TCP_ABI}, the kernel has {landlock.abi()}")


def _gaps(found: Enforcement) -> seccomp.Gaps:
    """Return the gaps that the system-call filter must close.

    They are those that the earlier layers leave open where a function runs as the box's own user.
    """
    mark = found.get("own_pids") is not True
    if found.get("own_user") is True:
        return seccomp.Gaps(mark=mark)
    version = landlock.abi() if found.get("files") is True else 0
    own_root = found.get("own_root") is True
    return seccomp.Gaps(
        attributes=not own_root,
        truncation=not own_root and version < landlock.TRUNCATE_ABI,
        processes=mark,
        mark=mark,
    )


def _expect_no_signals(found: Enforcement) -> None:
    """Check that signals stay inside.

    Another PID namespace, another user or a forbidden call keeps them in, as Landlock's scope does.
    """
    if not any(found[name] is True for name in ("own_pids", "own_user", "system_calls")):
        version = landlock.abi()
        if version < landlock.SCOPE_ABI:
            raise OSError(errno.EOPNOTSUPP, f"needs Landlock ABI {landlock.SCOPE_ABI}, the kernel has {version}")


def _die_with(box_pid: int) -> None:
    """Bind this process to the box's life again, after the last change of credentials.

    That change clears the parent-death signal (prctl(2)).
    """
    process.die_with_parent()
    if box_pid and os.getppid() not in (box_pid, 0):
        raise OSError(errno.ESRCH, "the box died in the meantime")


@contextlib.contextmanager
def _opened(devices: Sequence[str]) -> Iterator[list[int]]:
    """Open the nodes of `devices` and yield their descriptors; close them afterwards. Raises NotEnforced."""
    with contextlib.ExitStack() as stack:
        nodes = []
        for path in devices:
            try:
                nodes.append(open_node(path))
            except OSError as error:
                raise NotEnforced(f"cannot give the function {path}: {error.strerror}") from error
            stack.callback(os.close, nodes[-1])
        yield nodes


def _shared_tmp(name: str, uid: int) -> str:
    """Return a folder of this user and function in the machine's own tmp, for where no mount is allowed.

    It stays there at the end. Where another user has taken its name before, it is the first one with a suffix.
    """
    from tempfile import gettempdir, mkdtemp

    tmp, known = gettempdir(), f"edgefn-{uid}-{name}"
    with contextlib.suppress(FileExistsError):
        os.mkdir(os.path.join(tmp, known), mode=0o700)
    if _took(folder := os.path.join(tmp, known), uid):
        return folder
    for other in sorted(os.listdir(tmp)):
        if other.startswith(f"{known}.") and _took(folder := os.path.join(tmp, other), uid):
            return folder
    folder = mkdtemp(prefix=f"{known}.", dir=tmp)
    if not _took(folder, uid):
        raise NotEnforced(f"cannot reserve {folder} for user {uid}")
    return folder


def _took(folder: str, uid: int) -> bool:
    """Give `folder` to the user; tell whether it is the user's now.

    Only a folder that belongs to this process or the user, and is closed to others, can be given.
    """
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        found = os.fstat(opened)
        if found.st_uid not in (uid, os.geteuid()) or found.st_mode & 0o077:
            return False
        os.fchown(opened, uid, -1)
    finally:
        os.close(opened)
    return True


def _settle(tmp: str) -> None:
    """Let all code that looks for a place to write find the private tmp."""
    os.environ.update(HOME=tmp, TMPDIR=tmp)
    if "tempfile" in sys.modules:
        sys.modules["tempfile"].tempdir = None  # type: ignore[attr-defined]  # what it had found before
