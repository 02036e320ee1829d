"""What is installed on the build machine, as far as results depend on it. Reads metadata; imports nothing."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

import edgefn
from edgefn.compile.cache.cache import hash_file, key_of

TOOLCHAIN = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy", "pillow")


def toolchain() -> dict[str, str]:
    """Return the versions of Python, edgefn and the libraries that capture and lower models, by name."""
    found = {name: _version(name) for name in (*TOOLCHAIN, "edgefn")}
    return {"python": platform.python_version(), "machine": platform.machine(), **found}


@cache
def own_code(*parts: str) -> str:
    """Hash edgefn's own source, or only the files and folders `parts` of it.

    A change there may change results.
    """
    root = Path(edgefn.__file__).parent
    files = [path for part in parts or (".",) for path in _modules(root / part)]
    return key_of([[str(path.relative_to(root)), hash_file(path)] for path in files])


def _modules(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def installed() -> list[str]:
    """List the metadata folders of all distributions, whose names hold the versions. Takes 0.5 ms."""
    folders = [entry for entry in sys.path if os.path.isdir(entry)]
    names = [name for folder in folders for name in os.listdir(folder)]
    return sorted(name for name in names if name.endswith((".dist-info", ".egg-info")))


def versions(packages: Iterable[str]) -> dict[str, list[str]]:
    """Return the distributions and versions that provide each top-level package; none for a missing one.

    Their file lists are searched as raw bytes: `importlib.metadata.packages_distributions` parses them all, which takes
    0.3 s.
    """
    return {package: _owners(package) for package in sorted(packages)}


def owners(module: str) -> set[str]:
    """Return the normalised names of the distributions that provide `module`.

    Several may share its top-level package, as `google`; then those are meant that have the module itself.
    """
    parts, found = module.split("."), _owners(module.partition(".")[0])
    for count in range(len(parts), 1, -1):
        if len(found) > 1 and (own := _owners("/".join(parts[:count]))):
            found = own
            break
    return {re.sub(r"[-_.]+", "-", folder.partition("-")[0]).lower() for folder in found}


@cache
def _owners(package: str) -> list[str]:
    marks = [f"\n{package}{end}".encode() for end in ("/", ".py", ".cpython-", ".abi3.so")]
    return [name for name, files in _file_lists().items() if any(mark in files for mark in marks)]


@cache
def _file_lists() -> dict[str, bytes]:
    """Read the RECORD of each distribution, by the name of its metadata folder."""
    records = [path for entry in sys.path for path in sorted(Path(entry).glob("*.dist-info/RECORD"))]
    return {path.parent.name: b"\n" + path.read_bytes() for path in records}


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
