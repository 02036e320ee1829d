"""Finished artifacts of another revision, for one that differs in its code alone: they are linked, not made again.

So a changed handler is live at once, and the weights of all such revisions are the same pages in memory. Never takes
over what was proved on other golden samples, within another bound, or on another machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edgefn.bundle.config import ARTIFACT_TYPE, GOLDEN_TYPE
from edgefn_runtime.deployment import proof
from edgefn_runtime.deployment.admission import Candidate
from edgefn_runtime.store.revision import Revision

INPUTS = "inputs.sha256"
"""In an unpacked bundle and in a finished folder: the hash of all that finishing depends on, but for the machine."""


def inputs_of(candidate: Candidate) -> bytes:
    """What its artifacts, golden samples, bounds and backends hash to."""
    kinds = (ARTIFACT_TYPE, GOLDEN_TYPE)
    layers = [(layer.folder, layer.digest) for layer in candidate.layers if layer.media_type in kinds]
    parts = (sorted(layers), candidate.config.models, candidate.config.artifacts)
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest().encode()


def finished_alike(revision: Revision) -> Path | None:
    """A whole finished folder of this machine that was made from the same inputs, if there is one."""
    inputs = _inputs(revision.folder)
    return next((folder for folder in _finished(revision) if inputs and _inputs(folder) == inputs), None)


def _finished(revision: Revision) -> Iterator[Path]:
    for folder in revision.finished.parent.glob("[0-9a-f]*[0-9a-f]"):
        entries = revision.config.artifacts
        if folder != revision.finished and len(proof.read_all(folder, entries)) == len(entries):
            yield folder


def _inputs(folder: Path) -> bytes:
    try:
        return (folder / INPUTS).read_bytes()
    except OSError:
        return b""
