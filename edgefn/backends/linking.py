"""Links the files of artifacts that need no finishing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from edgefn.errors import BundleError


def link(portable: Path, folder: Path, names: Sequence[str]) -> None:
    """Link the files `names` of `portable` into `folder`; copy them where hard links are impossible.

    Raise BundleError when one is missing.
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
