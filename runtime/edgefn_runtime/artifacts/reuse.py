"""Finished artifacts of other revisions, linked into a revision that has the same ones, not made again.

So a changed handler is live at once, on its fastest artifact, and the weights of all such revisions are the same pages
in memory. Never takes over an artifact that was proved on other golden samples, within another bound, or on another
machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from edgefn.bundle.config import ARTIFACT_TYPE, GOLDEN_TYPE, ArtifactEntry, BundleConfig
from edgefn.bundle.oci.descriptors import Descriptor
from edgefn_runtime.artifacts import inputs, proof, ranking
from edgefn_runtime.store.revision import Revision


def inputs_of(config: BundleConfig, layers: Iterable[Descriptor]) -> bytes:
    """Encode the file of a bundle's hashes: by artifact, the hash of its inputs.

    The inputs are the artifact, its golden samples, bounds and backend, and the artifact that it is timed beside: that
    one runs in the same process, and may be hostile.
    """
    layers = tuple(layers)
    golden = [layer.digest for layer in layers if layer.media_type == GOLDEN_TYPE]
    artifacts = {layer.folder: layer.digest for layer in layers if layer.media_type == ARTIFACT_TYPE}
    models = {model.spec.name: model for model in config.models}
    beside = [entry.path for entry in ranking.first(config.artifacts)]
    found = {
        entry.path: _hash(
            *(entry, artifacts.get(entry.path), golden, models.get(entry.model)),
            [artifacts.get(path) for path in beside if path.startswith(f"artifacts/{entry.model}/")],
        )
        for entry in config.artifacts
    }
    return msgspec.json.encode(found, order="deterministic")


def alike(revision: Revision, entry: ArtifactEntry) -> Path | None:
    """Find a complete artifact that another revision on this machine finished from the same inputs.

    Returns its folder, or None.
    """
    wanted = inputs.read(revision.folder).get(entry.path)
    if not wanted:
        return None
    for folder in revision.finished.parent.glob("[0-9a-f]*[0-9a-f]"):
        found = proof.read(folder, entry) if folder != revision.finished else None
        if found is not None and found.inputs == wanted and not found.died:
            return folder / entry.path
    return None


def _hash(*parts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()
