"""Whether the devices that a function asks for are on this box, and may be opened by it. Opens names, no device."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from edgefn.system.nodes import open_node


def lacking(paths: Iterable[str]) -> str:
    """Return why a function cannot have one of these device nodes, with a remedy.

    Returns "" when it can have all of them.
    """
    return next((why for path in paths if (why := _lacking(path))), "")


def _lacking(path: str) -> str:
    try:
        opened = open_node(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
            return f"this box has no {path} ({error.strerror}): connect it, or deploy to a box that has it"
        return f"this box cannot give {path} to a function ({error.strerror}): only character devices are allowed"
    try:
        node = os.fstat(opened)
        return "" if _may_open(opened, node) else f"only {_whom(node)} can use {path}: {_remedy()}"
    finally:
        os.close(opened)


def _may_open(opened: int, node: os.stat_result) -> bool:
    """Tell whether a function may open the node for reading and writing.

    Where the box runs as root, a function has a user of its own, with the node's group besides.
    """
    if os.geteuid() != 0:
        return os.access(f"/proc/self/fd/{opened}", os.R_OK | os.W_OK)
    of_all, of_group = stat.S_IROTH | stat.S_IWOTH, stat.S_IRGRP | stat.S_IWGRP
    return node.st_mode & of_all == of_all or (node.st_gid != 0 and node.st_mode & of_group == of_group)


def _whom(node: os.stat_result) -> str:
    return f"user {node.st_uid} and group {node.st_gid} (mode {stat.S_IMODE(node.st_mode):04o})"


def _remedy() -> str:
    if os.geteuid() != 0:
        return "add the box's user to a group that can read and write it"
    return "give it a group other than root's that can read and write it (chgrp, chmod g+rw, or a udev rule)"
