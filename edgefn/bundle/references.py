"""Identical files of several artifacts of a bundle, packed once: the others name the place of the file.

    artifacts/<model>/<target>/references.json    {"model.onnx": {"path": "artifacts/…/model.onnx", "sha256": "…"}}

The layer of an artifact so depends on all of its content, its own files and those that it refers to. Unpacked, they are
the same file: `resolve` links them. Never refers to a file outside the bundle's artifacts.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

import msgspec

from edgefn.bundle.members import CHUNK_BYTES, MAX_MEMBERS, check_name
from edgefn.bundle.sources import tree_files
from edgefn.errors import BundleError
from edgefn.system.durable import sync

FILE = "references.json"

MIN_BYTES = 65_536
"""Smaller files are packed each time."""

MAX_BYTES = 2**20
"""Of a list of references: some thousand files."""

ROOT = "artifacts/"


class FileReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a file lies in the unpacked bundle, and the hash of its content."""

    path: str
    sha256: str


References = dict[str, FileReference]
"""By the file's name below its artifact's folder."""


def found(artifacts: Iterable[tuple[str, Path]]) -> dict[str, References]:
    """Find, for each artifact, the files that an earlier artifact has too.

    `artifacts` are paths in the bundle with folders; the result is by path in the bundle.
    """
    known: dict[str, str] = {}
    references: dict[str, References] = {}
    for place, folder in artifacts:
        own: References = {}
        for name, path in tree_files(folder):
            if path.stat().st_size < MIN_BYTES:
                continue
            digest = _sha256(path)
            if digest in known:
                own[name] = FileReference(known[digest], digest)
            else:
                known[digest] = f"{place}/{name}"
        references[place] = own
    return references


def encode(references: References) -> bytes:
    """Encode an artifact's file of references."""
    return msgspec.json.encode(references, order="sorted")


def resolve(bundle: Path, max_members: int = MAX_MEMBERS) -> None:
    """Link each file that an artifact of the unpacked `bundle` refers to into the artifact's folder.

    Raise BundleError for a reference that leaves the artifacts, or to a file that is missing or different; and where
    there are more than `max_members` of them and of folders that they lie in.
    """
    known: dict[Path, str] = {}
    made = 0
    for listed in sorted(bundle.glob(f"{ROOT}*/*/{FILE}")):
        folder = listed.parent
        for name, reference in _read(listed).items():
            check_name(name)
            check_name(reference.path)
            source = bundle / reference.path
            if not reference.path.startswith(ROOT) or source.is_symlink() or not source.is_file():
                raise BundleError(
                    f"{listed} refers to {reference.path!r}, which is not a file of the bundle's artifacts"
                )
            if source not in known:
                known[source] = _sha256(source)
            if known[source] != reference.sha256:
                raise BundleError(
                    f"{listed} refers to {reference.path!r}, where another file lies: build the bundle again"
                )
            made += _link(source, folder / name, listed)
            if made > max_members:
                raise BundleError(f"{listed} brings the bundle to more than {max_members} files and folders")


def _link(source: Path, path: Path, listed: Path) -> int:
    """Link `path` to `source`; return how many names that makes, with those of its folders."""
    folders = sum(1 for _ in takewhile(lambda folder: not folder.exists(), path.parents))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, path)
    except (FileExistsError, NotADirectoryError):
        raise BundleError(f"{listed} refers to {path.name!r}, which already exists: build the bundle again") from None
    except OSError as error:
        if error.errno in (errno.EMLINK, errno.ENAMETOOLONG):
            raise BundleError(f"{listed} refers to {path.name!r}, which is impossible: {error.strerror}") from None
        raise
    sync(path.parent)
    return 1 + folders


def _read(path: Path) -> References:
    try:
        if path.lstat().st_size > MAX_BYTES:
            raise ValueError(f"it has over {MAX_BYTES} bytes")
        return msgspec.json.decode(path.read_bytes(), type=References)
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise BundleError(f"{path} is damaged ({error}): build the bundle again") from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
