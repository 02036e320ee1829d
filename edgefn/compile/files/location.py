"""Where a model file lies: beside the builder, in the folder whose files the cache keys hold."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgefn.bundle.sources import code_files
from edgefn.errors import BuildError


def located(path: os.PathLike[str], builder: Callable[[], Any], model: str) -> Path:
    """The file that `builder` returned, relative to the builder's own file. Raises BuildError where it is none.

    A notebook's builder has no file: there it is relative to the working directory, and may lie anywhere.
    """
    folder = home_of(builder)
    found = (folder or Path.cwd()) / path
    if not found.is_file():
        there = "is a folder" if found.is_dir() else "does not exist"
        raise BuildError(
            f"model {model}: its builder returned the path {os.fspath(path)}, which {there} in {found.parent}; "
            "a path is relative to the builder's own file"
        )
    if folder is not None and not _is_hashed(found.resolve(), folder):
        raise BuildError(
            f"model {model}: its builder returned {found}, and a change of that file would not be noticed: put it "
            f"into {folder}, with a name that does not begin with a dot, and not into samples/"
        )
    return found


def home_of(builder: Callable[[], Any]) -> Path | None:
    """The folder of the builder's file; None where it was written in a notebook or an interpreter."""
    try:
        file = Path(inspect.getfile(inspect.unwrap(builder))).resolve()
    except TypeError:
        return None
    return file.parent if file.is_file() else None


def _is_hashed(path: Path, folder: Path) -> bool:
    return any(path == known.resolve() for _, known in code_files(folder))
