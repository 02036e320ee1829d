"""The layers of a bundle: which folder each holds, packed and described. One function for each kind.

Writes only the archive that the caller names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgefn.bundle import archive, references
from edgefn.bundle.config import (
    ANSWERS_TYPE,
    ARTIFACT_TYPE,
    CODE_TYPE,
    GOLDEN_TYPE,
    MODEL_ANNOTATION,
    REQUESTS_TYPE,
    TARGET_ANNOTATION,
    WHEELS_TYPE,
    ArtifactEntry,
)
from edgefn.bundle.oci.descriptors import Descriptor
from edgefn.bundle.sources import NO_PACKAGES, Packages, code_files, tree_files


@dataclass(frozen=True)
class PackedLayer:
    """A packed layer: its descriptor, and the file that has its bytes."""

    descriptor: Descriptor
    path: Path


def code(folder: Path, out: Path, leave_out: Collection[Path] = (), packages: Packages = NO_PACKAGES) -> PackedLayer:
    """Pack the code layer of `folder` and the shared `packages`, without the files `leave_out`, into `out`.

    Raise SpecError, BuildError.
    """
    files = [(name, path) for name, path in code_files(folder, packages) if path not in leave_out]
    return _pack(Descriptor(CODE_TYPE, "", 0), files, out)


def wheels(folder: Path, out: Path) -> PackedLayer:
    """Pack the site-packages tree that `wheels.resolve` wrote into `folder` to `out`; return the layer."""
    return _pack(Descriptor(WHEELS_TYPE, "", 0), tree_files(folder), out)


def artifact(
    entry: ArtifactEntry, folder: Path, out: Path, elsewhere: references.References | None = None
) -> PackedLayer:
    """Pack one portable artifact to `out`: the files in `folder` that do not lie `elsewhere`."""
    names = {MODEL_ANNOTATION: entry.model, TARGET_ANNOTATION: entry.target}
    files: list[tuple[str, Path | bytes]] = [one for one in tree_files(folder) if one[0] not in (elsewhere or {})]
    if elsewhere:
        files.append((references.FILE, references.encode(elsewhere)))
    return _pack(Descriptor(ARTIFACT_TYPE, "", 0, names), files, out)


def golden(samples: Mapping[str, Path | bytes], out: Path) -> PackedLayer:
    """Pack golden samples to `out`: an `.npz` for each model's name."""
    files = [(f"{model}.npz", content) for model, content in samples.items()]
    return _pack(Descriptor(GOLDEN_TYPE, "", 0), files, out)


def requests(bodies: Sequence[Path | bytes], out: Path) -> PackedLayer:
    """Pack sample requests to `out`, each body under its number."""
    files = [(str(number), body) for number, body in enumerate(bodies)]
    return _pack(Descriptor(REQUESTS_TYPE, "", 0), files, out)


def answers(content: bytes, out: Path) -> PackedLayer:
    """Pack eager's answers to the sample requests to `out`."""
    return _pack(Descriptor(ANSWERS_TYPE, "", 0), [("answers.msgpack", content)], out)


def _pack(kind: Descriptor, files: Iterable[tuple[str, Path | bytes]], out: Path) -> PackedLayer:
    digest, size = archive.pack(((f"{kind.folder}/{name}", content) for name, content in files), out)
    return PackedLayer(Descriptor(kind.media_type, digest, size, kind.annotations), out)
