"""Where a model file lies: relative to the builder's own file. A build refuses to read one that no cache key holds."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgefn.errors import BuildError


def located(path: os.PathLike[str], builder: Callable[[], Any], model: str) -> Path:
    """Return the file that `builder` returned, relative to the builder's own file.

    A notebook's builder has no file: there the path is relative to the working directory. Raises BuildError if the path
    is no file.
    """
    folder = home_of(builder)
    found = (folder or Path.cwd()) / path
    if not found.is_file():
        there = "is a folder" if found.is_dir() else "does not exist"
        raise BuildError(
            f"model {model}: its builder returned the path {os.fspath(path)}, which {there} in {found.parent}; "
            "a path is relative to the builder's own file"
        )
    return found


def home_of(builder: Callable[[], Any]) -> Path | None:
    """Return the folder of the builder's file; None for a builder of a notebook or an interpreter."""
    try:
        file = Path(inspect.getfile(inspect.unwrap(builder))).resolve()
    except TypeError:
        return None
    return file.parent if file.is_file() else None
