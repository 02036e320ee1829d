"""Folders that are removed whatever is in them: nested deeper than a recursion or a path goes, or closed to everybody.

A confined child may have written them. Never follows a name: each folder is opened below a descriptor of its parent.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(folder: Path) -> None:
    """Remove the folder `folder` and all that is in it. Blocks; raises OSError."""
    try:
        top = os.open(folder, _FOLDER)
    except FileNotFoundError:
        return
    try:
        os.fchmod(top, 0o700)
        number = 0
        while names := os.listdir(top):
            for name in names:
                if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=top)
                    continue
                number = _flatten(top, name, number)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(folder)


def _flatten(top: int, name: str, number: int) -> int:
    """Clear the folder `name`; return the last number used for a new name.

    Files are deleted. Folders are moved up to `top` under new names.
    """
    os.chmod(name, 0o700, dir_fd=top)
    inner = os.open(name, _FOLDER, dir_fd=top)
    try:
        for own in os.listdir(inner):
            if not stat.S_ISDIR(os.stat(own, dir_fd=inner, follow_symlinks=False).st_mode):
                os.unlink(own, dir_fd=inner)
                continue
            os.chmod(own, 0o700, dir_fd=inner)  # to move a folder elsewhere, one must be able to write to it
            number += 1
            while _exists(f"moved-{number}", top):
                number += 1
            os.rename(own, f"moved-{number}", src_dir_fd=inner, dst_dir_fd=top)
    finally:
        os.close(inner)
    return number


def _exists(name: str, top: int) -> bool:
    try:
        os.stat(name, dir_fd=top, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
