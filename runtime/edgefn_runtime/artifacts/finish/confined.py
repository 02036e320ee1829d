"""Artifacts finished and proved by confined processes, one for each; their files are taken over as hostile.

One for each: an artifact that takes its process over reaches no other one's files, and a finished artifact may serve
another function that has the same.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgefn.bundle.config import ArtifactEntry
from edgefn.bundle.oci.manifest import parse_config
from edgefn.errors import BundleError
from edgefn_runtime.artifacts import capability, proof, ranking
from edgefn_runtime.artifacts.finish.request import first_of, request
from edgefn_runtime.artifacts.finish.verdict import judge, told
from edgefn_runtime.artifacts.order import FinishOrder
from edgefn_runtime.artifacts.proof import Proof
from edgefn_runtime.host import Host
from edgefn_runtime.progress import DeploymentProgress
from edgefn_runtime.store import harvest, record
from edgefn_runtime.store.disk import Disk
from edgefn_runtime.store.uncancellable import in_thread
from edgefn_runtime.wire.messages import FinishRequest

FINISH_S = 30 * 60.0
"""TensorRT on a Jetson compiles for ten minutes; an engine that hangs does so for ever."""

_WORK = "work"


class ConfinedFinisher:
    """The real `Finisher`: its processes are children of `host`."""

    def __init__(self, host: Host, disk: Disk, limit_s: float = FINISH_S) -> None:
        self._host, self._disk, self._limit_s = host, disk, limit_s

    async def __call__(self, order: FinishOrder, progress: DeploymentProgress) -> None:
        """Finish and prove each artifact of `order` that runs here, into its folder.

        Raises DeploymentRefused when a process dies, or when the first artifacts of a model are among them and do not
        pass; DiskFull.
        """
        config = parse_config((order.bundle / "config.json").read_bytes())
        there = capability.available(config.artifacts)
        entries = [entry for entry in there if entry.path in order.artifacts]
        proofs = []
        for done, entry in enumerate(entries):
            progress("finish", done, len(entries), f"{entry.model} {entry.target}")
            found = await self._finish(order, entry, first_of(entry.model, there))
            progress("prove", done + 1, len(entries), told(found))
            proofs.append(found)
        first = {entry.model for entry in ranking.first(there) if entry.path in order.artifacts}
        judge(config, proofs, [model for model in config.models if model.spec.name in first])

    async def _finish(self, order: FinishOrder, entry: ArtifactEntry, first: ArtifactEntry) -> Proof:
        work = order.folder / _WORK
        try:
            await in_thread(self._disk.make_folder, work)
            try:
                asked = request(order, entry, first, work)
            except BundleError as error:  # the backend went as we looked
                return await in_thread(self._put, order, entry, Proof(*_names(entry), False, reason=str(error)))
            found = proof.received(await self._host.finish(asked, self._limit_s), entry, asked.inputs)
            return await in_thread(self._take, order, entry, asked, found)
        finally:
            await in_thread(self._disk.remove, work)

    def _take(self, order: FinishOrder, entry: ArtifactEntry, asked: FinishRequest, found: Proof) -> Proof:
        """Move the files that the process wrote into the order's folder, with the proof; return the proof.

        Of an artifact that did not pass, only the proof is kept.
        """
        if not found.passed:
            return self._put(order, entry, found)
        bound = harvest.FolderBound(asked.folder_bytes, asked.folder_files)
        place, original = order.folder / entry.path, order.bundle / entry.path
        own = (proof.FILE, record.FILE)
        taken = harvest.take(self._disk, Path(asked.folder), place, bound, original, own)
        found = self._put(order, entry, msgspec.structs.replace(found, files={n: one.size for n, one in taken.items()}))
        hashes = {name: one.sha256 for name, one in taken.items()}
        record.write(self._disk, place, record.taken(place, hashes))
        return found

    def _put(self, order: FinishOrder, entry: ArtifactEntry, found: Proof) -> Proof:
        self._disk.make_folder(order.folder / entry.path)
        proof.write(order.folder / entry.path, found)
        return found


def _names(entry: ArtifactEntry) -> tuple[str, str, str]:
    return entry.model, entry.target, entry.backend
