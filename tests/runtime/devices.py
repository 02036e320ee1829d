"""Device nodes for tests: each is the kernel's random numbers under another name, which takes ioctls."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def node(path: str, mode: int, group: int = 0) -> Iterator[str]:
    """Make the node `path` below /dev, as long as the context lasts; skip where none can be made."""
    try:
        os.mknod(path, stat.S_IFCHR | mode, os.makedev(1, 8))
    except OSError as error:
        pytest.skip(f"no device node can be made here: {error.strerror}")
    try:
        os.chown(path, 0, group)
        os.chmod(path, mode)
        yield path
    finally:
        os.unlink(path)
