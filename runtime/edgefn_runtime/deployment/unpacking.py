"""A bundle's layers, as one folder that is there whole or not at all.

Never runs or imports an unpacked file.
"""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path

from edgefn.bundle import archive, references
from edgefn.bundle.members import MAX_MEMBERS
from edgefn_runtime.artifacts import inputs
from edgefn_runtime.artifacts.reuse import inputs_of
from edgefn_runtime.deployment.checks.admission import Candidate
from edgefn_runtime.progress import DeploymentProgress
from edgefn_runtime.store import record
from edgefn_runtime.store.blobs import Blobs
from edgefn_runtime.store.disk import Disk, move_into_place, room_for, temporary, write_file
from edgefn_runtime.store.uncancellable import in_thread

CONFIG = "config.json"
"""The bundle's config in its unpacked folder: what the finisher's process goes by."""


async def unpack(candidate: Candidate, blobs: Blobs, folder: Path, disk: Disk, progress: DeploymentProgress) -> None:
    """Unpack the bundle into `folder`, complete and synced.

    After an error neither the folder nor a part of it is there.
    """
    unfinished = temporary(folder)
    layers, left = candidate.layers, MAX_MEMBERS
    try:
        with room_for(f"the bundle of {candidate.config.function.name}"):
            await in_thread(disk.make_folder, unfinished)
            for done, layer in enumerate(layers):
                progress("unpack", done, len(layers), layer.folder)
                tar = blobs.path(layer.digest)
                unpack_layer = partial(archive.unpack, limit_bytes=layer.size, below=layer.folder, max_members=left)
                left -= await in_thread(unpack_layer, tar, unfinished)
            await in_thread(references.resolve, unfinished, left)
            await in_thread(write_file, disk, unfinished / inputs.FILE, inputs_of(candidate.config, layers))
            await in_thread(write_file, disk, unfinished / CONFIG, candidate.config_bytes)
            await in_thread(lambda: record.write(disk, unfinished, record.taken(unfinished)))
            await in_thread(move_into_place, disk, unfinished, folder)
    finally:
        with contextlib.suppress(OSError):  # what stays goes at the next start
            await in_thread(disk.remove, unfinished)
    progress("unpack", len(layers), len(layers))
