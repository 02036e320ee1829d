"""The owner's way in: a socket file in the home. Only the box's user, and root, can open it; it needs no token.

The file has mode 0600 in a folder of mode 0700, and the kernel gives the user of each client. It is no part of the
network, so it works when all connections of that are taken; and no other program can be asked in its place, as on a
port.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

NAME = "box.sock"
_BACKLOG = 64
_LONGEST = 100
"""Bytes of a path that fit into a socket's address (unix(7) has 108)."""

_log = logging.getLogger("edgefn.access")

_CREDENTIALS = struct.Struct("3i")


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[socket.socket | None]:
    """Listen on the owner's socket in `folder`, which is the box's alone; the file is gone afterwards.

    None where the folder's file system holds no sockets, as some network ones: the box works, and its owner logs in.
    """
    with contextlib.ExitStack() as opened:
        try:
            own = opened.enter_context(_bound(folder))
        except OSError as error:
            _log.warning(
                "cannot create a socket in %s (%s): the box needs a token from users of this machine, too",
                folder,
                error,
            )
            own = None
        yield own


@contextlib.contextmanager
def _bound(folder: Path) -> Iterator[socket.socket]:
    path = folder / NAME
    path.unlink(missing_ok=True)  # of a box that was killed: the home's lock says that it is gone
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        os.fchmod(listener.fileno(), 0o600)  # before there is a name to open
        with short(path) as name:
            listener.bind(name)
        listener.listen(_BACKLOG)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def is_owner(transport: asyncio.BaseTransport) -> bool:
    """Tell whether the client of this socket is a process of the box's user, or of root."""
    descriptor = os.dup(transport.get_extra_info("socket").fileno())
    with socket.socket(fileno=descriptor) as other:
        raw = other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return uid in (0, os.geteuid())


@contextlib.contextmanager
def short(path: Path) -> Iterator[str]:
    """Yield a name of `path` that fits into an address; a long one leads through its open folder."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
