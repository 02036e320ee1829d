"""Artifacts that are finished as they are: their files, linked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from edgefn.errors import BundleError


def link(portable: Path, folder: Path, names: Sequence[str]) -> None:
    """The files of `portable` lie in `folder` too, as hard links where the file system allows it.

    Raises BundleError when one is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not (portable / name).is_file():
            raise BundleError(f"the artifact in {portable} has no {name}; build the bundle again")
        (folder / name).unlink(missing_ok=True)
        try:
            os.link(portable / name, folder / name)
        except OSError:  # another file system, or one without links
            shutil.copyfile(portable / name, folder / name)
