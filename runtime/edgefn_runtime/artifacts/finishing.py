"""Finished artifacts and their places: a `Finisher` makes them, or they are linked from another revision's.

A finisher works in a folder beside the final one; each artifact is moved here when it is proved and synced.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from edgefn.bundle.config import ArtifactEntry
from edgefn_runtime.artifacts import inputs, proof
from edgefn_runtime.artifacts.order import FinishOrder
from edgefn_runtime.artifacts.proof import Proof
from edgefn_runtime.artifacts.reuse import alike
from edgefn_runtime.progress import DeploymentProgress
from edgefn_runtime.store.disk import Disk, move_into_place, room_for, temporary
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.store.uncancellable import in_thread

Finisher = Callable[[FinishOrder, DeploymentProgress], Awaitable[None]]
"""The order's folder holds its artifacts, each with its proof; else DeploymentRefused."""


async def finish(
    revision: Revision,
    entries: Sequence[ArtifactEntry],
    disk: Disk,
    finisher: Finisher,
    progress: DeploymentProgress,
    *,
    threads: int = 1,
    wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Finish `entries` into `revision.finished`, each with its proof, synced.

    After an error the folder is unchanged. Nothing is moved there when it is not `wanted` any more.
    """
    unfinished = temporary(revision.finished)
    paths = tuple(entry.path for entry in entries)
    order = FinishOrder(revision.folder, unfinished, revision.finished, paths, threads)
    try:
        with room_for(f"the finished artifacts of {revision.name}"):
            await in_thread(disk.make_folder, unfinished)
            await finisher(order, progress)
            await _put(revision, entries, unfinished, disk, wanted)
    finally:
        with contextlib.suppress(OSError):  # what stays goes at the next start
            await in_thread(disk.remove, unfinished)


async def link(revision: Revision, entries: Sequence[ArtifactEntry], disk: Disk) -> list[ArtifactEntry]:
    """Link those of `entries` that another revision has finished from the same inputs; return them."""
    found = {entry.path: place for entry in entries if (place := await in_thread(alike, revision, entry)) is not None}
    linked = [entry for entry in entries if entry.path in found]
    if not linked:
        return []
    unfinished = temporary(revision.finished)
    try:
        with room_for(f"the finished artifacts of {revision.name}"):
            await in_thread(disk.make_folder, unfinished)
            for path, place in found.items():
                await in_thread(disk.link_tree, place, unfinished / path)
            await _put(revision, linked, unfinished, disk)
    finally:
        with contextlib.suppress(OSError):
            await in_thread(disk.remove, unfinished)
    return linked


async def put_verdict(revision: Revision, entry: ArtifactEntry, reason: str, disk: Disk) -> None:
    """Write a failed proof for `entry`, whose process died for `reason`, so that no start retries it."""
    unfinished = temporary(revision.finished)
    made_from = inputs.read(revision.folder).get(entry.path, "")
    found = Proof(entry.model, entry.target, entry.backend, False, reason=reason, inputs=made_from, died=True)
    try:
        with room_for(f"the finished artifacts of {revision.name}"):
            await in_thread(disk.make_folder, unfinished / entry.path)
            proof.write(unfinished / entry.path, found)
            await _put(revision, [entry], unfinished, disk)
    finally:
        with contextlib.suppress(OSError):
            await in_thread(disk.remove, unfinished)


async def _put(
    revision: Revision,
    entries: Sequence[ArtifactEntry],
    unfinished: Path,
    disk: Disk,
    wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Move `entries` from `unfinished` to their places, one after the other, each atomically.

    Entries that are not in `unfinished` are skipped.
    """
    await in_thread(disk.sync_tree, unfinished)
    for entry in entries:
        if wanted() and (unfinished / entry.path).is_dir():
            place = revision.finished / entry.path
            await in_thread(disk.make_folder, place.parent)
            await in_thread(move_into_place, disk, unfinished / entry.path, place)
