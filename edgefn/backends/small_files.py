"""The small JSON files beside an artifact, read as a hostile bundle may hold them: bounded, of the form expected."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

from edgefn.errors import BundleError

MAX_BYTES = 2**20
"""What edgefn writes itself is some kilobytes at most."""

Content = TypeVar("Content")


def read(folder: Path, name: str, kind: type[Content], engine: str) -> Content:
    """Return the `kind` in the file `name` of an artifact's `folder`.

    Raise BundleError when it is missing, damaged, no regular file, or over MAX_BYTES.
    """
    try:
        return msgspec.json.decode(_bounded(folder / name), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BundleError(
            f"{folder.name} holds no artifact of {engine}: cannot read {name} ({error}); build the bundle again"
        ) from error


def _bounded(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise ValueError(f"it is not a file of at most {MAX_BYTES} bytes")
        return file.read(MAX_BYTES)
