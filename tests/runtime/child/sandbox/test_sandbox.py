"""The layers of the sandbox, each by itself in a forked child; the BPF program on machines that are not this one."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import socket
import struct
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from edgefn.system import syscalls
from edgefn_runtime.child import sandbox
from edgefn_runtime.child.fork import process
from edgefn_runtime.child.sandbox import landlock, layers, mounts, namespaces, readable, seccomp
from edgefn_runtime.child.sandbox.root import SCRATCH

ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS


def has(layer: str) -> pytest.MarkDecorator:
    """Skips where this machine does not enforce `layer`."""
    why = PROBED.get(layer, "unknown")
    return pytest.mark.skipif(why is not True, reason=f"{layer}: {why}")


def landlock_from(version: int) -> pytest.MarkDecorator:
    """Skips where this kernel's Landlock is older."""
    return pytest.mark.skipif(version > ABI, reason=f"Landlock has ABI {ABI} here, this wants {version}")


def _abi() -> int:
    try:
        return landlock.abi()
    except OSError:
        return 0


PROBED = sandbox.probe()
ABI = _abi()


def in_child(attempt: Callable[[], object]) -> str:
    """What became of `attempt` in a forked child that can gain no privileges: "done", or the name of its errno."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = "died"
        try:
            process.die_with_parent()
            attempt()
            said = "done"
        except OSError as error:
            said = errno.errorcode.get(error.errno or 0, str(error))
        except BaseException:
            said = traceback.format_exc()
        finally:
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        said = answer.read().decode()
    os.waitpid(child, 0)
    return said


def confined(attempt: Callable[[], object], *, write: list[str] | None = None, network: bool = False) -> str:
    """What becomes of `attempt` with Landlock alone."""

    def main() -> None:
        landlock.restrict(read=["/usr", "/proc"], write=write or [], devices=["/dev/null"], network=network)
        attempt()

    return in_child(main)


@has("files")
def test_landlock_leaves_only_what_is_named(tmp_path: Path) -> None:
    """Below a writable folder all is allowed; beside it nothing can be read, listed or written."""
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
        (folder / "file").write_text("x")
    assert confined(lambda: (own / "new").write_text("x"), write=[str(own)]) == "done"
    assert confined(lambda: (own / "file").rename(own / "moved"), write=[str(own)]) == "done"
    assert confined((other / "file").read_text, write=[str(own)]) == "EACCES"
    assert confined(lambda: os.listdir(other), write=[str(own)]) == "EACCES"
    assert confined(lambda: (own / "moved").rename(other / "moved"), write=[str(own)]) in ("EACCES", "EXDEV")
    if landlock.TRUNCATE_ABI <= ABI:
        assert confined(lambda: os.truncate(other / "file", 0), write=[str(own)]) == "EACCES"
    assert confined(lambda: Path("/dev/null").write_text("x")) == "done"


@landlock_from(landlock.TCP_ABI)
def test_landlock_denies_tcp_unless_the_network_is_open() -> None:
    """A listener on loopback is reached with `network` alone."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        assert confined(lambda: socket.socket().connect(address)) == "EACCES"
        assert confined(lambda: socket.socket().bind(("127.0.0.1", 0))) == "EACCES"
        assert confined(lambda: socket.socket().connect(address), network=True) == "done"


@landlock_from(landlock.SCOPE_ABI)
def test_landlock_shields_those_outside(tmp_path: Path) -> None:
    """No signal to the parent, and no way to its abstract socket, even with the network open."""
    name = f"\0edgefn-{tmp_path}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        assert in_child(lambda: socket.socket(socket.AF_UNIX).connect(name)) == "done"
        assert confined(lambda: socket.socket(socket.AF_UNIX).connect(name), network=True) == "EPERM"
    parent = os.getpid()
    assert in_child(lambda: os.kill(parent, 0)) == "done"
    assert confined(lambda: os.kill(parent, 0)) == "EPERM"


@landlock_from(landlock.SCOPE_ABI)
def test_an_instance_signals_only_itself_and_what_it_starts() -> None:
    """Alone, a fork of a confined process cannot signal the one it comes from, which is in the same sandbox."""

    def main() -> None:
        landlock.restrict(read=["/usr"], write=[], devices=[], network=False)
        template = os.getpid()
        if os.fork() == 0:
            sandbox.leave_alone()
            os.kill(os.getpid(), 0)
            if (child := os.fork()) == 0:
                signal.pause()
            os.kill(child, signal.SIGKILL)
            try:
                os.kill(template, 0)
            except PermissionError:
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 7

    assert in_child(main) == "done"


@has("tmp")
def test_the_private_tmp_is_bounded_and_seen_by_nobody_else() -> None:
    """What is written there is not on the machine's own, and beyond its size the disk is full."""
    size = 2**20

    def main() -> None:
        namespaces.enter(network=False)
        mounts.memory(SCRATCH, f"size={size},mode=1777")
        assert os.listdir(SCRATCH) == []
        Path(SCRATCH, "edgefn-test-private").write_bytes(bytes(size // 2))
        Path(SCRATCH, "more").write_bytes(bytes(size))

    assert in_child(main) == "ENOSPC"
    assert not Path(SCRATCH, "edgefn-test-private").exists()


@has("namespaces")
def test_without_the_network_no_interface_is_up() -> None:
    """Even loopback is down, so UDP, which Landlock does not see, goes nowhere either."""

    def main() -> None:
        namespaces.enter(network=False)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
            found.connect(("127.0.0.1", 9))

    assert in_child(main) == "ENETUNREACH"


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, so needs root")
@has("files")
def test_a_box_that_is_not_root_confines_too(tmp_path: Path) -> None:
    """As an ordinary user the whole sandbox goes on; what that user could read is out of reach."""
    public = tmp_path / "public"
    public.write_text("x")

    def main() -> None:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        syscalls.prctl(4, 1)  # PR_SET_DUMPABLE, as for a process that was never root
        for known in (readable.named, readable.roots):
            known.cache_clear()  # as for a user that may not read root's Python
        namespaces.enter_user()
        process.die_with_parent()
        found = sandbox.enter(sandbox.Confinement("probe"), {})
        wanted = ("files", "system_calls", "namespaces", "own_root", "tmp", "capabilities")
        assert all(found[layer] is True for layer in wanted if PROBED[layer] is True), found
        public.read_text()

    assert in_child(main) in ("EACCES", "ENOENT")


def test_what_the_machine_enforces_must_be_enforced_for_each_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that the probe found and that then fails keeps the child from going on."""

    def broken(*, network: bool) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(namespaces, "enter", broken)
    monkeypatch.setattr(layers, "_shared_tmp", lambda _name, _uid: "/nonexistent")

    def main() -> None:
        with pytest.raises(sandbox.NotEnforced, match=r"namespaces: .*No space left"):
            sandbox.enter(sandbox.Confinement("probe"), {"namespaces": True})
        os._exit(0)

    assert in_child(main) == ""  # it left before it could say a word: nothing was raised


@pytest.mark.parametrize(
    "squat", [Path.touch, lambda path: path.symlink_to("/etc"), lambda path: (path.mkdir(), path.chmod(0o777))]
)
def test_who_takes_the_name_of_a_shared_tmp_ahead_is_gone_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, squat: Callable[[Path], None]
) -> None:
    """Where no mount is allowed, any user may make names in tmp: the function has a folder all the same."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    uid = os.geteuid()
    assert layers._shared_tmp("free", uid) == str(tmp_path / f"edgefn-{uid}-free")
    for name in (f"edgefn-{uid}-taken", f"edgefn-{uid}-taken.a"):
        squat(tmp_path / name)
    found = {layers._shared_tmp("taken", uid) for _ in range(3)}
    (folder,) = map(Path, found)
    assert folder.parent == tmp_path
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (uid, 0o700)
    assert not folder.is_symlink()


def test_a_home_below_readable_code_stays_closed(tmp_path: Path) -> None:
    """Where the box's home lies in a folder of code, only the code of that folder is opened."""
    bundle = tmp_path / "home" / "bundles" / "one"
    bundle.mkdir(parents=True)
    for name in ("package", "lib", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    for name in ("module.py", "token"):
        (tmp_path / name).touch()
    opened = {Path(path).name for path in readable.clear_of(str(bundle), str(tmp_path))}
    assert opened == {"package", "lib", "module.py"}
    assert list(readable.clear_of(str(bundle), "/usr")) == ["/usr"]


# ── the BPF program ──────────────────────────────────────────────────────────────────────────────────────────


def verdict(code: bytes, architecture: int, number: int, *arguments: int) -> int:
    """What the program returns, as the kernel would run it."""
    data = struct.pack("IIQ6Q", number, architecture, 0, *[*arguments, 0, 0, 0, 0, 0, 0][:6])
    at, value = 0, 0
    while True:
        step, if_true, if_false, operand = struct.unpack_from("HBBI", code, at * 8)
        at += 1
        match step:
            case 0x20:
                (value,) = struct.unpack_from("I", data, operand)
            case 0x54:
                value &= operand
            case 0x06:
                return int(operand)
            case _:
                holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[step]
                at += if_true if holds else if_false


@pytest.mark.parametrize("machine", seccomp.MACHINES.values(), ids=seccomp.MACHINES)
def test_the_filter_denies_its_list_and_nothing_else(machine: seccomp.Architecture) -> None:
    """Every number from 0 to 500 on each machine: EPERM when listed, else allowed; others by their arguments."""
    looked_at = {machine.clone, machine.socket, machine.socketpair, machine.prlimit, 435}
    for network in (False, True):
        code = seccomp.filter_of(machine, network=network)
        for number in set(range(500)) - looked_at:
            expected = EPERM if number in machine.denied else ALLOW
            assert verdict(code, machine.architecture, number) == expected, number
        assert verdict(code, machine.architecture, 435) == ENOSYS
        assert verdict(code, 0x40000003, 0) == EPERM  # i386: its numbers mean other calls
        assert verdict(code, machine.architecture, machine.clone, 0x01200011) == ALLOW  # fork
        assert verdict(code, machine.architecture, machine.clone, 0x003D0F00) == ALLOW  # a thread
        assert verdict(code, machine.architecture, machine.clone, 0x10000000 | 17) == EPERM
        assert verdict(code, machine.architecture, machine.prlimit, 0, 7) == ALLOW
        assert verdict(code, machine.architecture, machine.prlimit, 4711, 7) == EPERM


@pytest.mark.parametrize("machine", seccomp.MACHINES.values(), ids=seccomp.MACHINES)
@pytest.mark.parametrize("flags", [0, socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK])
def test_sockets_are_those_that_are_allowed(machine: seccomp.Architecture, flags: int) -> None:
    """Every family, type and usual protocol: pairs of Unix streams; with the network TCP, UDP and netlink's routes."""
    inet = {
        (family, kind, protocol)
        for family in (socket.AF_INET, socket.AF_INET6)
        for kind, number in ((socket.SOCK_STREAM, socket.IPPROTO_TCP), (socket.SOCK_DGRAM, socket.IPPROTO_UDP))
        for protocol in (0, number)
    } | {(socket.AF_NETLINK, kind, 0) for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM)}
    closed, opened = (seccomp.filter_of(machine, network=network) for network in (False, True))
    for family in (0, 1, 2, 3, 10, 15, 16, 17, 29, 31, 38, 40, 44, 45):
        for kind in (0, 1, 2, 3, 4, 5, 6, 10, 15):
            pair = ALLOW if (family, kind) == (socket.AF_UNIX, socket.SOCK_STREAM) else EPERM
            for protocol in (0, 1, 6, 17, 132, 262):
                asked = (family, kind | flags, protocol)
                expected = ALLOW if (family, kind, protocol) in inet else EPERM
                assert verdict(opened, machine.architecture, machine.socket, *asked) == expected, asked
                assert verdict(closed, machine.architecture, machine.socket, *asked) == EPERM, asked
            for code in (closed, opened):
                found = verdict(code, machine.architecture, machine.socketpair, family, kind | flags)
                assert found == pair, (family, kind)


@pytest.mark.parametrize("machine", seccomp.MACHINES.values(), ids=seccomp.MACHINES)
def test_gaps_of_other_layers_are_closed(machine: seccomp.Architecture) -> None:
    """Attributes, truncation and other processes, each for itself and all together; the own process stays usable."""
    for gaps in (seccomp.Gaps(*bits) for bits in itertools.product((False, True), repeat=4)):
        code = seccomp.filter_of(machine, network=False, gaps=gaps)

        def denied(number: int, *arguments: int, code: bytes = code) -> bool:
            return verdict(code, machine.architecture, number, *arguments) == EPERM

        assert {denied(number) for number in machine.attributes} == {gaps.attributes}
        assert {denied(number) for number in (machine.truncate, 437)} == {gaps.truncation}
        assert {denied(number) for number in machine.signals} == {gaps.processes}
        assert denied(machine.kill, 4711, 9) == gaps.processes
        assert not denied(machine.kill, 0, 9)
        for number, place in machine.opens:
            for flags, cuts in ((0, False), (0o1000, True), (0o1001, False), (0o1102, False)):
                assert denied(number, *[0] * place, flags) == (gaps.truncation and cuts)
        for number, place in machine.others:
            assert denied(number, *[0] * place, 4711) == gaps.processes
            assert not denied(number, *[0] * place, 0)
        assert denied(machine.setrlimit, 10) == gaps.mark
        assert denied(machine.prlimit, 0, 10) == gaps.mark
        assert denied(machine.prlimit, 4711, 7)
        assert not denied(machine.prlimit, 0, 7)
        for command, closed in ((8, True), (10, True), (15, True), (1, False), (1030, False)):
            assert denied(machine.fcntl, 0, command) == (gaps.processes and closed)
        assert denied(machine.ioctl, 0, 0x8901) == gaps.processes
        assert denied(machine.ioctl, 0, 0x40086602) == gaps.attributes
        assert not denied(machine.ioctl, 0, 0x5401)
