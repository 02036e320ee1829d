"""A revision's files on this box's disk: unpacked, finished and proved; made when they are not there.

The road of a deployment, a rollback, a start after a power cut and a host that finds its cache deleted all
come through here; whoever comes while it is done waits for the same work.
"""

from __future__ import annotations

from pathlib import Path

from edgefn.bundle.config import ARTIFACT_TYPE, BundleConfig
from edgefn.bundle.manifest import parse_config
from edgefn_runtime.deployment import compatibility, proof
from edgefn_runtime.deployment.admission import Candidate, admit
from edgefn_runtime.deployment.finishing import Finisher, finish, finish_in_child
from edgefn_runtime.deployment.progress import UNHEARD, Progress
from edgefn_runtime.deployment.shared import SharedWork
from edgefn_runtime.deployment.unpacking import CONFIG, unpack
from edgefn_runtime.store.blobs import Blobs
from edgefn_runtime.store.disk import expect_room
from edgefn_runtime.store.home import Home
from edgefn_runtime.store.revision import Revision

FINISHED_PER_PORTABLE = 1.25
"""Bytes finished for each portable byte, roughly: optimised graphs, aligned weights."""


class Installation:
    """The bundles and finished folders of `home`."""

    def __init__(self, home: Home, blobs: Blobs, finisher: Finisher = finish_in_child) -> None:
        self._home, self._blobs, self._finisher = home, blobs, finisher
        self._work = SharedWork()
        self._whole: dict[Path, list[Path]] = {}

    def ready(self, revision: Revision) -> bool:
        """Whether every file is there. A few stats: the host asks before each cold start."""
        known = self._whole.get(revision.finished)
        if known is None or not all(path.exists() for path in known):
            self._whole.pop(revision.finished, None)
            if not (self._unpacked(revision) and self._finished(revision)):
                return False
            self._whole[revision.finished] = list(self._files(revision))
        return True

    async def ensure(
        self, revision: Revision, progress: Progress = UNHEARD, candidate: Candidate | None = None
    ) -> None:
        """Every file is there. Raises BundleError, DeploymentRefused, DiskFull."""
        if not self.ready(revision):
            await self._work.run(revision.digest, lambda: self._make(revision, progress, candidate))

    async def _make(self, revision: Revision, progress: Progress, candidate: Candidate | None) -> None:
        disk = self._home.disk
        if not self._unpacked(revision):
            candidate = candidate or await admit(self._blobs, revision.digest, progress)
            expect_room(disk, self._home.bundles, _bytes_of(candidate), f"the bundle of {revision.name}")
            await unpack(candidate, self._blobs, revision.folder, disk, progress)
        if not self._finished(revision):
            compatibility.check(_whole_config(revision), compatibility.this_machine())
            await finish(revision, disk, self._finisher, progress)

    def _unpacked(self, revision: Revision) -> bool:
        return (revision.folder / CONFIG).exists()

    def _finished(self, revision: Revision) -> bool:
        """Whether every model has an artifact that passed and is whole."""
        proofs = proof.read_all(revision.finished, revision.config.artifacts)
        passed = {found.model for found in proofs.values() if found.passed}
        return passed >= {model.spec.name for model in revision.config.models}

    def _files(self, revision: Revision) -> list[Path]:
        files = [revision.folder / CONFIG]
        for path, found in proof.read_all(revision.finished, revision.config.artifacts).items():
            files += [revision.finished / path / name for name in (proof.FILE, *found.files)]
        return files


def _whole_config(revision: Revision) -> BundleConfig:
    """With all artifacts: a revision's own config names only those that serve."""
    return parse_config((revision.folder / CONFIG).read_bytes())


def _bytes_of(candidate: Candidate) -> int:
    """What unpacking and finishing will write, roughly; a tar is a little larger than its files."""
    layers = candidate.layers
    portable = sum(layer.size for layer in layers if layer.media_type == ARTIFACT_TYPE)
    return sum(layer.size for layer in layers) + round(portable * FINISHED_PER_PORTABLE)
