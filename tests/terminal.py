"""A program on a terminal: what it writes there, with all that moves the cursor."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

LIMIT_S = 30


def in_terminal(line: Sequence[str], env: Mapping[str, str], *, columns: int = 0) -> tuple[bytes, int]:
    """Run a program on a terminal of `columns` (0: it does not say); return what it writes, and its exit code."""
    ours, theirs = pty.openpty()
    if columns:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + LIMIT_S
    try:
        while time.monotonic() < deadline and (found := os.read(ours, 65536)):
            shown += found
    except OSError:  # EIO: the last process with the terminal has ended
        pass
    finally:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
        os.close(ours)
    return shown, child.wait()
