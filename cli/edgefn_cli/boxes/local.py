"""The box of this user on this machine: the address that its home announces, and the socket it has for its owner.

Only the box's owner can open the socket, a file of mode 0600 in a folder of mode 0700: no token is sent, so none
can go to another program that took the box's port. It must never open a connection.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
            told: Any = json.loads((home / "run" / "box.json").read_bytes())
            found = socket.lstat()
        except (OSError, ValueError):
            return None
        url = told.get("url") if isinstance(told, dict) else None
        ours = stat.S_ISSOCK(found.st_mode) and (os.geteuid() == 0 or found.st_uid == os.geteuid())
        return cls(url, socket) if ours and isinstance(url, str) else None


def reachable(socket: Path) -> str:
    """Return a path of `socket` that is short enough to connect to.

    A long one leads through an open folder.
    """
    if len(os.fsencode(socket)) <= _LONGEST:
        return str(socket)
    folder = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # open as long as the process is
    return f"/proc/self/fd/{folder}/{socket.name}"
