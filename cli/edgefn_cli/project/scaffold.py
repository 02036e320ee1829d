"""A new function's folder, from a template: it builds, deploys and passes its own test as it is.

Owns names and files of a new folder. It must never write over anything: the folder appears whole or not at all.
"""

from __future__ import annotations

import importlib.util
import keyword
import os
import re
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from string import Template

from edgefn.errors import InputError, SpecError

_TEMPLATES = Path(__file__).parent / "scaffolds"
_RESERVED = frozenset({"conftest", "edgefn", "edgefn_cli", "edgefn_runtime", "pytest", "torch"})
"""Modules that the function's build and test import, installed already or not; conftest is pytest's own."""

_MODELS = ("edges", "edge_strength")
"""Names for the template's model: the first, or the second where the function has the first."""

_UNLISTED = """
__test__ = False  # for pytest: this module begins like a test and is none
"""
_SIDE = 128
_SQUARE = 16


class Kind(StrEnum):
    """The template of a new function."""

    model = "model"
    plain = "plain"


def create(folder: Path, kind: Kind) -> tuple[Path, ...]:
    """Create the function's files below `folder`, whose name is the function's; return them sorted.

    Raises SpecError when the name cannot be a function's or the folder is there already.
    """
    from edgefn.system.durable import explained_when_full

    check_name(folder.name)
    if folder.exists() or folder.is_symlink():
        raise SpecError(f"{folder} already exists and was not changed: choose another name, or remove it first")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # `rename` is the one step that makes the folder appear; it fails where another has made one meanwhile.
        with explained_when_full(folder), tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as parent:
            half_made = Path(parent) / folder.name
            half_made.mkdir()
            _fill(half_made, folder, kind)
            half_made.rename(folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}") from error
    return tuple(sorted(path for path in folder.rglob("*") if path.is_file()))


def check_name(name: str) -> None:
    """Raise SpecError unless `name` can be a function's, a folder's and an importable module's."""
    from edgefn.spec import NAME_PATTERN

    if not re.fullmatch(NAME_PATTERN, name):
        raise SpecError(
            f"{name!r} is not a valid function name: use a to z, 0 to 9 and _, a letter first, at most 63 characters"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise SpecError(f"{name!r} is a Python keyword: choose another name, e.g. {name}_function")
    if name in sys.stdlib_module_names or name in _RESERVED or _is_installed(name):
        raise SpecError(
            f"a function {name!r} would hide the installed module {name!r}: choose another name, e.g. my_{name}"
        )


def _fill(into: Path, folder: Path, kind: Kind) -> None:
    model = next(one for one in _MODELS if one != folder.name)
    unlisted = _UNLISTED if folder.name.startswith("test_") else ""
    words = {"name": folder.name, "folder": _shown(folder), "model": model, "unlisted": unlisted}
    targets = {"function.py": f"{folder.name}.py", "test.py": f"test_{folder.name}.py", "README.md": "README.md"}
    for source, target in targets.items():
        text = (_TEMPLATES / kind / f"{source}.template").read_text(encoding="utf-8")
        (into / target).write_text(Template(text).substitute(words), encoding="utf-8")
    samples = into / "samples"
    samples.mkdir()
    if kind is Kind.plain:
        (samples / "one.json").write_text('{"n": 1}\n', encoding="utf-8")
    else:
        _draw(samples)


def _draw(samples: Path) -> None:
    """Draw a checkerboard, and the same out of focus."""
    from PIL import Image, ImageFilter

    board = Image.new("L", (_SIDE, _SIDE))
    board.putdata([255 * ((x // _SQUARE + y // _SQUARE) % 2) for y in range(_SIDE) for x in range(_SIDE)])
    board.save(samples / "sharp.png")
    board.filter(ImageFilter.GaussianBlur(6)).save(samples / "blurred.png")


def _shown(folder: Path) -> str:
    """Return the folder as the user would type it in the working directory."""
    relative = os.path.relpath(folder)
    return str(folder) if relative.startswith("..") else relative


def _is_installed(name: str) -> bool:
    """Tell whether an installed module has the name.

    A folder of ours in the working directory does not count.
    """
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return True
    # A package without an __init__, e.g. google, has no origin, and folders.
    places = [found.origin, *(found.submodule_search_locations or ())] if found is not None else []
    return any("-packages" in place for place in places if place)
