"""Users that a plain user may give to children of its own: subuid(5), mapped into a user namespace by newuidmap(1).

The numbers are the same inside and outside, so that a function's user is one number wherever it is looked at.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PROGRAMS: Final = ("newuidmap", "newgidmap")
"""Of Debian's package uidmap; they may do what a plain user may not, within what root wrote into FILES."""
FILES: Final = ("/etc/subuid", "/etc/subgid")
NONE: Final = range(0)


def available() -> range:
    """Return the largest range of ids that belong to this user both as user and as group ids.

    The range is empty for root, which needs none, and where PROGRAMS are not installed.
    """
    if os.geteuid() == 0 or not all(map(shutil.which, PROGRAMS)):
        return NONE
    users, groups = (list(_spans(Path(path))) for path in FILES)
    shared = (range(max(a.start, b.start), min(a.stop, b.stop)) for a in users for b in groups)
    others = (span for span in shared if os.geteuid() not in span and os.getegid() not in span)
    return max(others, key=len, default=NONE)


def give(pid: int, numbers: range) -> None:
    """Map `numbers`, and this process's own, into the user namespace that process `pid` has just made.

    From outside of it. Raise OSError, or CalledProcessError where root's files do not allow it.
    """
    import subprocess  # not in the zygote's memory: a child of it gives them

    for program, own in zip(PROGRAMS, (os.geteuid(), os.getegid()), strict=True):
        spans = [own, own, 1, numbers.start, numbers.start, len(numbers)]
        command = [program, str(pid), *map(str, spans)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def mapped() -> range:
    """Return the numbers beside its own that this process, which is not root, may become in its user namespace."""
    spans = (tuple(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text("utf-8").splitlines())
    others = (range(first, first + count) for first, outside, count in spans if first == outside != 0)
    return max((span for span in others if os.geteuid() not in span), key=len, default=NONE)


def _spans(path: Path) -> Iterator[range]:
    """Yield the spans of this user, who stands there by name or by number."""
    names = {str(os.geteuid())}
    with contextlib.suppress(KeyError):
        names.add(pwd.getpwuid(os.geteuid()).pw_name)
    with contextlib.suppress(OSError):
        for line in path.read_text("utf-8", errors="replace").splitlines():
            name, _, numbers = line.partition(":")
            first, _, count = numbers.partition(":")
            if name in names and first.isdecimal() and count.strip().isdecimal() and int(first):
                yield range(int(first), int(first) + int(count))
