"""What to do about a module that this machine lacks. Reads folders; imports nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DISTRIBUTIONS = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "fitz": "pymupdf",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "usb": "pyusb",
    "yaml": "pyyaml",
}
"""Distributions that are called otherwise than what they bring. An index may have others of the module's own name."""

ABOVE = 3
"""Folders above a function's that may be the project's."""


def advice(module: str, folder: Path, wheels: Path | None) -> str:
    """Return what to do so that code of the function in `folder` can import `module`.

    `wheels` is the site-packages of its requirements.txt. Empty where its package is here: then a part is misspelt.
    """
    package = module.partition(".")[0]
    if not package or _is_here(package):
        return ""
    if wheels is not None and any(path.name.partition(".")[0] == package for path in wheels.iterdir()):
        return f"requirements.txt brings it to the box, install it here, too: pip install -r {folder}/requirements.txt"
    for place in list(folder.parents)[:ABOVE]:
        if _is_in(place, package):
            return (
                f"{place} has it, and a bundle has what lies in {folder.name}/: move it there, or share it as a "
                "package of the project (packages under [project] in edgefn.toml)"
            )
    name = DISTRIBUTIONS.get(package, "the package that has it")
    return f"install {name} here, and add {'it' if package in DISTRIBUTIONS else 'its name'} to requirements.txt"


def _is_here(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _is_in(place: Path, package: str) -> bool:
    return (place / package / "__init__.py").is_file() or (place / f"{package}.py").is_file()
