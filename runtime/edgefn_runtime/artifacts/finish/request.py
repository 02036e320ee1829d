"""The request to a finisher's process, with its bounds: by the artifact's size and its backend's needs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from edgefn import backends
from edgefn.backends.backend import FinishNeeds, finish_needs
from edgefn.bundle.config import ArtifactEntry
from edgefn_runtime.artifacts import inputs, proof, ranking
from edgefn_runtime.artifacts.order import FinishOrder
from edgefn_runtime.wire.messages import FinishRequest

FOLDER_BYTES, GROWTH = 64 * 2**20, 4
"""A finished artifact has at most so many bytes, and so many for each byte of the portable one. OpenVINO, the largest,
writes its weights twice and a graph."""

FILES = 256
"""Files and folders of a finished artifact: the built-in engines write three."""

MEMORY_BYTES, MEMORY_GROWTH = 2**30, 8
"""What the process may allocate, at least, and for each byte of the portable artifact."""


def request(order: FinishOrder, entry: ArtifactEntry, first: ArtifactEntry, folder: Path) -> FinishRequest:
    """Return the request to finish `entry` into `folder`, timed beside the `first` artifact of its model.

    Raises BundleError where the backend is not installed.
    """
    needs = finish_needs(backends.get(entry.backend))
    size = _size(order.bundle / entry.path)
    beside = None if entry.path == first.path else _finished(order, first)
    return FinishRequest(
        bundle=str(order.bundle),
        artifact=entry.path,
        folder=str(folder),
        beside=str(beside or ""),
        beside_backend=first.backend,
        threads=order.threads,
        inputs=inputs.read(order.bundle).get(entry.path, ""),
        memory_bytes=max(MEMORY_BYTES, MEMORY_GROWTH * size, needs.memory_bytes),
        folder_bytes=FOLDER_BYTES + max(GROWTH, needs.growth) * size,
        folder_files=FILES,
        devices=needs.devices,
        reads=_reads(needs, beside),
        programs=bool(needs.programs),
    )


def first_of(model: str, artifacts: tuple[ArtifactEntry, ...]) -> ArtifactEntry:
    """Return the artifact that others of `model` are timed beside, among those that run here."""
    return next(one for one in ranking.first(artifacts) if one.model == model)


def _reads(needs: FinishNeeds, beside: Path | None) -> tuple[str, ...]:
    return (*needs.reads, *needs.programs, *([str(beside)] if beside else []))


def _finished(order: FinishOrder, first: ArtifactEntry) -> Path | None:
    places = (order.folder, order.beside)
    return next((place / first.path for place in places if proof.read(place, first) is not None), None)


def _size(folder: Path) -> int:
    """Return the bytes of the regular files below `folder`; a file with several links counts each time."""
    statuses = (os.lstat(Path(place, name)) for place, _, names in os.walk(folder) for name in names)
    return sum(status.st_size for status in statuses if stat.S_ISREG(status.st_mode))
