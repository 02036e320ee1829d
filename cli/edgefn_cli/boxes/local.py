"""The box of this user on this machine: the address that its home announces, and the socket it has for its owner.

Only the box's owner can open the socket, a file of mode 0600 in a folder of mode 0700: no token is sent, so none
can go to another program that took the box's port. It must never open a connection.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgefn.api.boxes import BoxAddress

SOCKET = "box.sock"
_LONGEST = 100
"""Bytes of a path that fit into a socket's address (unix(7) has 108)."""


@dataclass(frozen=True)
class AnnouncedBox:
    """A box whose home this user may read: the URL that it announced, and its socket."""

    url: str
    socket: Path

    @classmethod
    def of(cls, home: Path) -> AnnouncedBox | None:
        """Return the box of `home`; None where no box runs with it, or it is another user's."""
        socket = home / "run" / SOCKET
        try:
            told = announced(home)
            found = socket.lstat()
        except OSError:
            return None
        ours = stat.S_ISSOCK(found.st_mode) and (os.geteuid() == 0 or found.st_uid == os.geteuid())
        return cls(told.url, socket) if ours and told is not None else None


def announced(home: Path) -> BoxAddress | None:
    """Read where the box of `home` listens, as it wrote it; None for a file that no box wrote. Raises OSError."""
    try:
        return msgspec.json.decode((home / "run" / "box.json").read_bytes(), type=BoxAddress)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def reachable(socket: Path) -> str:
    """Return a path of `socket` that is short enough to connect to.

    A long one leads through an open folder.
    """
    if len(os.fsencode(socket)) <= _LONGEST:
        return str(socket)
    folder = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # open as long as the process is
    return f"/proc/self/fd/{folder}/{socket.name}"
