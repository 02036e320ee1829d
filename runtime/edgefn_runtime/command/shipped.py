"""Files for the operator that come with edgefn: systemd's units, the lock of a box's packages, the pages to read.

The wheel has them in this package (pyproject.toml, force-include); a source tree has them where they are written.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from edgefn.errors import SpecError

_WHEEL = Path(__file__).resolve().parents[1] / "files"
_TREE = Path(__file__).resolve().parents[3]
PAGES = ("operations.md", "box-toml.md", "security.md")


def files() -> dict[str, Path]:
    """Return the shipped files by their path in the copy, e.g. systemd/edgefn-box.service, sorted."""
    if _WHEEL.is_dir():
        return {str(path.relative_to(_WHEEL)): path for path in sorted(_WHEEL.rglob("*")) if path.is_file()}
    deploy, docs = _TREE / "deploy", _TREE / "docs"
    found = {str(path.relative_to(deploy)): path for path in deploy.rglob("*") if path.is_file()}
    return dict(sorted({**found, **{f"docs/{page}": docs / page for page in PAGES}}.items()))


def copy(folder: Path) -> list[Path]:
    """Copy the files into `folder`, which is made, and return the copies.

    Raise SpecError where a file of that name is there with another content: nothing is copied then.
    """
    wanted = {folder / name: path for name, path in files().items()}
    for target, source in wanted.items():
        if target.exists() and target.read_bytes() != source.read_bytes():
            raise SpecError(f"{target} is there already and is another file: move it away, or name another folder")
    for target, source in wanted.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o644)
    return list(wanted)
