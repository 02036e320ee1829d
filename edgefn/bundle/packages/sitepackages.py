"""A wheel's files, laid out as site-packages: the same tree for the same wheels, whatever machine built it.

Leaves out what installers write (RECORD, INSTALLER, direct_url.json), compiled Python, and what does not go to
site-packages (scripts, headers, data). Never runs anything of the wheel's.

Source: packaging.python.org, "Binary distribution format".
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from email.parser import BytesParser
from pathlib import Path

from edgefn.bundle.members import check_name
from edgefn.errors import BuildError, BundleError

_LEFT_OUT = {"RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json"}
_IMPORTED = (".py", ".so")


def lay_out(wheel: Path, folder: Path) -> None:
    """Write the wheel's importable files and metadata below `folder`.

    Raise BuildError where the wheel cannot be read, and where two wheels bring different code of one name.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for info, name in _members(archive):
                _write(archive, info, folder / check_name(name), wheel.name)
    except (zipfile.BadZipFile, BundleError) as error:
        raise BuildError(f"{wheel.name} is damaged: {error}; clear pip's cache and build again") from error


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    for info in sorted(archive.infolist(), key=lambda info: info.filename):
        name = _site_name(info.filename)
        if name and not info.is_dir():
            yield info, name


def _site_name(name: str) -> str:
    """Return the place of a wheel's member in site-packages; empty if it has none."""
    top, _, rest = name.partition("/")
    if top.endswith(".data"):
        scheme, _, name = rest.partition("/")
        return name if scheme in ("purelib", "platlib") else ""
    if top.endswith(".dist-info") and rest in _LEFT_OUT:
        return ""
    return "" if name.endswith(".pyc") or "__pycache__" in name.split("/") else name


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, wheel: str) -> None:
    content = archive.read(info)
    if path.exists():
        # Packages often bring the same licence or empty __init__.py; different code would hide one of them.
        if path.suffix in _IMPORTED and path.read_bytes() != content:
            raise BuildError(f"{wheel} and an earlier wheel hold different files {info.filename}: remove one of them")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755 if info.external_attr >> 16 & 0o100 else 0o644)


def requires(wheel: Path) -> tuple[str, ...]:
    """Return the wheel's own requirements, PEP 508, from its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA"):
                return tuple(
                    BytesParser().parsebytes(archive.read(name), headersonly=True).get_all("Requires-Dist", ())
                )
    raise BuildError(f"{wheel.name} has no METADATA, so it is not a wheel; require another version")


def tags(folder: Path) -> set[str]:
    """Return the tags of the wheels laid out in `folder`, e.g. "cp311-cp311-manylinux_2_17_x86_64"."""
    lines = [line for file in folder.glob("*.dist-info/WHEEL") for line in file.read_text("utf-8").splitlines()]
    return {line.removeprefix("Tag:").strip() for line in lines if line.startswith("Tag:")}
