"""Records which files this process and its children open for reading, native code included, through the kernel.

A seccomp filter (seccomp_unotify(2)) hands each open to an observer, a small process that notes the path and lets the
open go on. Nothing is denied or delayed by more than the note: about 25 µs. Python's audit hook sees less: it misses a
library that opens a file in C or Rust (safetensors, TorchScript, SQLite, OpenCV).

The filter stays on this thread, its later threads and their children for good; the observer ends when the last of them
has ended. Directories, and files opened only to be written, are not noted.
"""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

from edgefn.system import bpf
from edgefn.system.syscalls import prctl, syscall

_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _NEW_LISTENER = 1, 1 << 3
_NO_NEW_PRIVILEGES, _PTRACER = 38, 0x59616D61
_RECEIVE, _ANSWER = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV and _SEND
_NOTIFICATION, _RESPONSE = struct.Struct("QIIiIQ6Q"), struct.Struct("QqiI")
_CONTINUE = 1

_CALLS = {
    "x86_64": (0xC000003E, {257: (1, 2), 2: (0, 1), 437: (1, None)}),
    "aarch64": (0xC00000B7, {56: (1, 2), 437: (1, None)}),
}
"""AUDIT_ARCH, and by the numbers of openat, open and openat2 which arguments have the path and the flags."""

_PATH_BYTES = 4096
_NOT_READ = os.O_DIRECTORY | getattr(os, "O_PATH", 0o10000000)
_LAST_WAIT_MS = 5000
"""How long the observer of a kernel before 5.9, which does not tell it of the end, waits for a straggler."""


class FileOpens:
    """The files opened since `observe`, asked for with `drain`. `observer` is the pid of the process that sees them."""

    def __init__(self, channel: socket.socket, observer: int) -> None:
        self._channel = channel
        self.observer = observer

    def drain(self) -> list[str]:
        """Return the paths opened for reading since the last call, each once, in order.

        Links are not resolved. Left out are files that one of the processes has made or emptied itself before it read
        them.
        """
        self._channel.sendall(b"?")
        length = struct.unpack("I", _exactly(self._channel, 4))[0]
        text = _exactly(self._channel, length)
        return [os.fsdecode(path) for path in text.split(b"\0") if path]


def observe(passed_over: Sequence[str] = ()) -> FileOpens:
    """Observe the opens of this thread, its later threads and their children, from here on and for good.

    Paths that begin with one of `passed_over` are not noted. Raise OSError where the kernel, or a container's own
    filter, does not allow it; nothing has changed then.
    """
    code = _filter()
    channel, other = socket.socketpair()
    try:
        observer = _start(other, channel, tuple(os.fsencode(prefix) for prefix in passed_over))
        listener = _install(code, observer)
    except OSError:
        channel.close()
        raise
    finally:
        other.close()
    socket.send_fds(channel, [b"!"], [listener])
    os.close(listener)
    _exactly(channel, 1)
    return FileOpens(channel, observer)


def _filter() -> bytes:
    """Build the filter: it notifies the observer of each open, except of directories and by O_PATH."""
    machine = platform.machine()
    if machine not in _CALLS:
        raise OSError(errno.ENOSYS, f"no numbers of system calls for {machine}", "seccomp")
    architecture, calls = _CALLS[machine]
    steps = [
        bpf.step(bpf.LOAD, bpf.ARCHITECTURE),
        bpf.step(bpf.JUMP_EQUAL, architecture, 1, 0),
        bpf.step(bpf.RETURN, bpf.ALLOW),
        bpf.step(bpf.LOAD, bpf.NUMBER),
    ]
    for number, (_, flags) in calls.items():
        looks = [] if flags is None else _looks(flags)
        steps += [bpf.step(bpf.JUMP_EQUAL, number, 0, len(looks) + 1), *looks, bpf.step(bpf.RETURN, bpf.NOTIFY)]
    return b"".join([*steps, bpf.step(bpf.RETURN, bpf.ALLOW)])


def _looks(flags: int) -> list[bytes]:
    return [
        bpf.step(bpf.LOAD, bpf.ARGUMENTS[flags]),
        bpf.step(bpf.JUMP_ANY_BIT, _NOT_READ, 0, 1),
        bpf.step(bpf.RETURN, bpf.ALLOW),
    ]


def _install(code: bytes, observer: int) -> int:
    """Put the filter on this thread; returns the descriptor that its notifications come from."""
    may_be_read_by(observer)
    os.register_at_fork(after_in_child=lambda: may_be_read_by(observer))
    prctl(_NO_NEW_PRIVILEGES, 1)
    program, kept = bpf.program(code)
    listener = syscall("seccomp", _SECCOMP[platform.machine()], _SET_MODE_FILTER, _NEW_LISTENER, program)
    del kept
    os.set_inheritable(listener, False)
    return listener


def may_be_read_by(process: int) -> None:
    """Let `process` read this one's memory where Yama (ptrace_scope 1) lets only ancestors; nothing elsewhere."""
    try:
        prctl(_PTRACER, process)
    except OSError:
        return


def _start(channel: socket.socket, theirs: socket.socket, passed_over: tuple[bytes, ...]) -> int:
    """Start the observer as a child of no process of ours; return its pid.

    A process that waits for all its children must not wait for it.
    """
    child = os.fork()
    if child == 0:
        try:
            if os.fork() == 0:
                theirs.close()
                os.setsid()
                channel.sendall(struct.pack("I", os.getpid()))
                _run(channel, passed_over)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return int(struct.unpack("I", _exactly(theirs, 4))[0])


def _run(channel: socket.socket, passed_over: tuple[bytes, ...]) -> None:
    """Run as the observer. It ignores Ctrl-C: an open without an answer would fail."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _keep_only(channel)
    _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if descriptors:
        channel.sendall(b"!")
        _Observer(channel, descriptors[0], passed_over).run()


def _keep_only(channel: socket.socket) -> None:
    """Close all inherited descriptors: a reader of our pipes must see their end."""
    last = max(map(int, os.listdir("/proc/self/fd")))
    os.closerange(0, channel.fileno())
    os.closerange(channel.fileno() + 1, last + 1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        if standard != channel.fileno():
            os.dup2(null, standard)


class _Observer:
    """Notes the paths of opens, and tells them when asked."""

    def __init__(self, channel: socket.socket, listener: int, passed_over: tuple[bytes, ...]) -> None:
        self._channel = channel
        self._listener = listener
        self._passed_over = passed_over
        self._calls = _CALLS[platform.machine()][1]
        self._read: dict[bytes, None] = {}
        self._made: set[bytes] = set()

    def run(self) -> None:
        """Serve until every process that is observed has ended."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._channel, select.POLLIN)
        wait_ms = None
        while ready := dict(poll.poll(wait_ms)):
            events = ready.get(self._listener, 0)
            if events & select.POLLHUP:
                return
            if events:
                self._answer()
            elif self._channel.fileno() in ready and not self._tell():
                poll.unregister(self._channel)
                wait_ms = _LAST_WAIT_MS

    def _answer(self) -> None:
        buffer = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, buffer)
        except OSError:  # a signal took the process out of its call meanwhile
            return
        number, thread, _, call, _, _, *arguments = _NOTIFICATION.unpack(buffer)
        with suppress(OSError, ValueError):  # it has ended meanwhile, or is another program's that we may not read
            self._note(thread, call, arguments)
        with suppress(OSError):  # likewise
            fcntl.ioctl(self._listener, _ANSWER, _RESPONSE.pack(number, 0, 0, _CONTINUE))

    def _note(self, thread: int, call: int, arguments: list[int]) -> None:
        place, flags_place = self._calls[call]
        with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:
            path = _text(memory.fileno(), arguments[place])
            flags = arguments[2 if flags_place is None else flags_place]
            if flags_place is None:  # openat2 has a pointer to `struct open_how`, which begins with them
                flags = struct.unpack("Q", os.pread(memory.fileno(), 8, flags))[0]
        if path.startswith(self._passed_over) and b"/.." not in path:
            return
        if not path.startswith(b"/"):
            path = os.path.join(_folder(thread, arguments[0] if place else -100), path)
        path = os.path.normpath(path)
        if makes(path, flags):
            self._made.add(path)
        elif path not in self._made and flags & os.O_ACCMODE != os.O_WRONLY:
            self._read[path] = None

    def _tell(self) -> bool:
        """Send the files that were read; return False when the other side has gone."""
        try:
            if not self._channel.recv(1):
                return False
            text = b"\0".join(self._read)
            self._channel.sendall(struct.pack("I", len(text)) + text)
        except OSError:
            return False
        self._read.clear()
        return True


def makes(path: str | bytes, flags: int) -> bool:
    """Tell whether an open with `flags` creates or empties the file.

    What is read from such a file afterwards is the opener's own.
    """
    if flags & os.O_ACCMODE != os.O_RDONLY and flags & os.O_TRUNC:
        return True
    return bool(flags & os.O_CREAT) and not os.path.exists(path)


def _text(memory: int, address: int) -> bytes:
    """Read the string at `address`, which may end at the end of a page with nothing mapped behind it."""
    first = _PATH_BYTES - address % _PATH_BYTES
    text = os.pread(memory, first, address)
    if b"\0" not in text:
        text += os.pread(memory, _PATH_BYTES, address + first)
    return text.partition(b"\0")[0]


def _folder(thread: int, descriptor: int) -> bytes:
    """Return the folder that a relative path starts from."""
    signed = (descriptor & 0xFFFFFFFF) - (1 << 32) * (descriptor >> 31 & 1)
    place = "cwd" if signed < 0 else f"fd/{signed}"
    return os.readlink(os.fsencode(f"/proc/{thread}/{place}"))


def _exactly(channel: socket.socket, count: int) -> bytes:
    """Receive the next `count` bytes. Raise OSError when the other side has gone."""
    found = b""
    while len(found) < count:
        if not (more := channel.recv(count - len(found))):
            raise OSError(errno.EPIPE, "the observer of file opens has ended")
        found += more
    return found
