"""The zygote's launch, apart from its keeper: so light that the box does it before it imports the rest of itself.

Both take some 0.4 s to come up, and there are two cores: together they do it in little more than one start's time.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import Final, NamedTuple

_CHILD_DESCRIPTOR: Final = 3

BUFFER_BYTES: Final = 1 << 20
"""A tensor of 602 kB goes through in one piece. With Linux's 208 kB the two sides wake each other for every third:
twice the time."""
_SO_SNDBUFFORCE: Final = 32
_SO_PASSRIGHTS: Final = 83

ENVIRONMENT: Final = {
    # A thread in the zygote would not survive the fork: no pools, no telemetry.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    # Memory in huge pages, and from the heap up to 32 MiB: a first run then takes 1,200 page faults instead of
    # 2,850, of some 3 µs each (docs/decisions/cold-start.md).
    "GLIBC_TUNABLES": ":".join(
        (
            "glibc.malloc.hugetlb=1",
            "glibc.malloc.mmap_threshold=33554432",
            "glibc.malloc.trim_threshold=33554432",
        )
    ),
}
_KEPT_FROM_BOX: Final = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "HOME",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)


class Launched(NamedTuple):
    """A zygote that starts: its pid, and the box's end of its control socket."""

    pid: int
    end: socket.socket


def launch() -> Launched:
    """Start a zygote. Raises OSError when the machine has no process or descriptor left."""
    ours, theirs = pair(socket.SOCK_SEQPACKET)
    with theirs:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", "edgefn_runtime.child.fork.zygote", str(_CHILD_DESCRIPTOR)],
            {key: os.environ[key] for key in _KEPT_FROM_BOX if key in os.environ} | ENVIRONMENT,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), _CHILD_DESCRIPTOR),
            ],
            setsid=True,
        )
    return Launched(pid, ours)


def pair(kind: socket.SocketKind) -> tuple[socket.socket, socket.socket]:
    """Make (the box's end, the child's end) of a socketpair; on the box's, the kernel names the sender.

    A child can send the box no descriptor, where the kernel knows how to forbid it (Linux 6.16): the last close of one
    would be the box's, and may take as long as its maker wants.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    with contextlib.suppress(OSError):
        ours.setsockopt(socket.SOL_SOCKET, _SO_PASSRIGHTS, 0)
    for end in (ours, theirs):
        _widen(end)
    return ours, theirs


def _widen(end: socket.socket) -> None:
    """Let `end` take BUFFER_BYTES that its peer has not read.

    A box that is not root gets as much as net.core.wmem_max allows.
    """
    try:
        end.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, BUFFER_BYTES)
    except OSError:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
