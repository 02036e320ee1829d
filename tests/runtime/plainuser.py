"""A plain user, played by root; with users of its own to give, as root gives them, in this process's own mounts.

As a program, `plainuser FOLDER COMMAND...`: COMMAND is run by such a user, to whom FOLDER is given.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from edgefn.system.syscalls import prctl, unshare
from edgefn_runtime.child.sandbox import mounts

PLAIN = 64_123
GIVEN = range(300_000, 300_100)
_NEW_MOUNTS = 0x00020000


def open_python() -> None:
    """Python is where a plain user may find it: here it may lie below root's home."""
    unshare(_NEW_MOUNTS)
    mounts.follow_host()
    prefix = os.path.realpath(sys.base_prefix)
    closed = [parent for parent in reversed(Path(prefix).parents) if not parent.stat().st_mode & stat.S_IXOTH]
    if closed:
        source = os.open(prefix, os.O_PATH)
        mounts.memory(str(closed[0]), "mode=0755")
        os.makedirs(prefix)
        mounts.bind(source, prefix)
        os.close(source)


def give_users(folder: Path) -> None:
    """The plain user has those of GIVEN, by files that lie in `folder`."""
    span = f"{PLAIN}:{GIVEN.start}:{len(GIVEN)}"
    lines = {"passwd": f"tried:x:{PLAIN}:{PLAIN}::/:/bin/false", "subuid": span, "subgid": span}
    for name, line in lines.items():
        path, mine = Path("/etc", name), folder / name
        mine.write_text(f"{path.read_text() if path.exists() else ''}{line}\n")
        mine.chmod(0o644)
        mounts.bind(str(mine), str(path))


def become() -> None:
    """This process is the plain user's, as if it had never been root's."""
    os.setgroups([])
    os.setresgid(PLAIN, PLAIN, PLAIN)
    os.setresuid(PLAIN, PLAIN, PLAIN)
    prctl(4, 1)  # PR_SET_DUMPABLE


def main(folder: Path, *command: str) -> None:
    """Become the command."""
    folder.chmod(0o755)
    os.chown(folder, PLAIN, PLAIN)
    open_python()
    give_users(folder)
    become()
    os.environ.update(HOME=str(folder), TMPDIR=str(folder))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
