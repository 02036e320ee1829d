"""A revision's files on this box's disk: unpacked, finished and proved; made when they are not there.

A function can be served with the first artifact of each model; the others are completed one by one.

A deployment, a rollback, a start after a power cut and a host that finds its cache deleted all come through here; a
second one waits for the same work.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from edgefn.accuracy.answers.record import Agreed
from edgefn.bundle.config import ARTIFACT_TYPE, ArtifactEntry, BundleConfig
from edgefn.bundle.oci.manifest import parse_config
from edgefn.errors import DeploymentRefused
from edgefn.spec import FunctionSpec
from edgefn_runtime.artifacts import capability, inputs, proof, ranking
from edgefn_runtime.artifacts.finishing import Finisher, finish, link, put_verdict
from edgefn_runtime.artifacts.proof import Proof
from edgefn_runtime.artifacts.quarantine import Quarantine
from edgefn_runtime.deployment import answers
from edgefn_runtime.deployment.checks import compatibility
from edgefn_runtime.deployment.checks.admission import Candidate, admit
from edgefn_runtime.deployment.shared import SharedWork
from edgefn_runtime.deployment.unpacking import CONFIG, unpack
from edgefn_runtime.progress import UNHEARD, DeploymentProgress
from edgefn_runtime.store import record
from edgefn_runtime.store.blobs import Blobs
from edgefn_runtime.store.disk import TEMPORARY, clear_away, expect_room
from edgefn_runtime.store.home import Home
from edgefn_runtime.store.record import Stamp
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.store.uncancellable import in_thread

_log = logging.getLogger("edgefn.deployment")

FINISHED_PER_PORTABLE = 1.25
"""Bytes finished for each portable byte, roughly: optimised graphs, aligned weights."""


class Installation:
    """The bundles and finished folders of `home`. `threads` returns the number of threads for a function's engine."""

    def __init__(
        self,
        home: Home,
        blobs: Blobs,
        quarantine: Quarantine,
        finisher: Finisher,
        threads: Callable[[FunctionSpec], int] = lambda spec: 1,
    ) -> None:
        self._home, self._blobs, self._quarantine = home, blobs, quarantine
        self._finisher, self._threads = finisher, threads
        self._work = SharedWork()
        self._whole: dict[tuple[Path, tuple[str, ...]], list[Path]] = {}

    def ready(self, revision: Revision) -> bool:
        """Tell whether every file that `revision` is served with is there.

        This costs a few stats: it is called before each cold start.
        """
        key = (revision.finished, revision.served)
        known = self._whole.get(key)
        if known is None or not all(path.exists() for path in known):
            self._whole.pop(key, None)
            if not (self._unpacked(revision) and _served(revision)):
                return False
            self._whole[key] = list(self._files(revision))
        return True

    async def ensure(
        self, revision: Revision, progress: DeploymentProgress = UNHEARD, candidate: Candidate | None = None
    ) -> None:
        """Unpack the bundle and prove the first artifact of each model, so that it can be served.

        Artifacts that another revision has too are linked. Raises BundleError, DeploymentRefused, DiskFull.
        """
        if not (self._unpacked(revision) and _live(revision)):
            await self._work.run(revision.digest, lambda: self._make(revision, progress, candidate))

    def forgive(self, revision: Revision) -> None:
        """Forget the failures of `revision`, so that its artifacts are tried again. Blocks.

        These are marks of broken artifacts, comparisons of answers, and proofs of a finisher that died.
        """
        self._quarantine.forget(revision.finished)
        answers.forget(self._home.disk, revision.finished)
        for entry in revision.artifacts:
            found = proof.read(revision.finished, entry)
            if found is not None and found.died:
                clear_away(self._home.disk, revision.finished / entry.path)

    def record(self, revision: Revision, paths: Sequence[str], found: Agreed) -> None:
        """Store the comparison of the handler's answers with the artifacts `paths`. Blocks; raises OSError."""
        answers.keep(self._home.disk, revision.finished, paths, found)

    def mark(self, revision: Revision, entries: Sequence[ArtifactEntry], reason: str) -> None:
        """Mark `entries` as broken: they are not chosen again before a redeployment.

        Blocks. Where the disk refuses the mark, it holds until the box ends.
        """
        for entry in entries:
            self._quarantine.add(revision.finished, entry.path, reason)
        with contextlib.suppress(OSError):
            self._quarantine.keep(revision.finished)

    def lacking(self, revision: Revision) -> list[ArtifactEntry]:
        """Return the artifacts that can run here and still lack a proof, a refusal or a comparison.

        They are in the bundle's order. Blocks.
        """
        entries = capability.available(revision.artifacts)
        marked = self._quarantine.of(revision.finished)
        unasked = [entry.path for entry in answers.lacking(revision, entries) if entry.path not in marked]
        return [entry for entry in entries if entry.path in unasked or proof.read(revision.finished, entry) is None]

    def inspect(self, revision: Revision) -> list[str]:
        """Remove what differs from the files as they were unpacked or finished; return messages.

        `ensure` makes the removed files again. Blocks; raises OSError.
        """
        told = []
        if revision.folder.is_dir() and (names := self._differing(revision.folder, trusted=False)):
            clear_away(self._home.disk, revision.folder)
            told.append(f"{_some(names)} of its bundle changed on disk: unpacking it again")
        for entry in revision.artifacts:
            place = revision.finished / entry.path
            if (place / proof.FILE).exists() and (names := self._differing(place, trusted=True)):
                clear_away(self._home.disk, place)
                name = f"{entry.model} {entry.target}"
                told.append(f"{_some(names)} of {name} changed on disk: finishing it again")
        return told

    def inspect_others(self, known: Collection[Path]) -> list[str]:
        """Inspect the unpacked bundles that are not `known`, and remove those that differ; return messages.

        A rollback to a removed bundle unpacks it again. Blocks.
        """
        told = []
        for folder in self._home.bundles.iterdir():
            if folder in known or folder.suffix == TEMPORARY:
                continue
            if names := self._differing(folder, trusted=False):
                clear_away(self._home.disk, folder)
                told.append(f"{_some(names)} of {folder} changed on disk: removed it")
        return told

    def _differing(self, folder: Path, *, trusted: bool) -> list[str]:
        """Return the files of `folder` that differ from its record.

        A folder without a record is accepted as it is where it is `trusted`; else its record counts as differing.
        """
        known = record.read(folder)
        if known is None:
            if trusted:
                self._keep(folder, record.taken(folder))
            return [] if trusted else [record.FILE]
        found = record.compare(folder, known)
        if found.fresh and not found.differing:
            self._keep(folder, found.fresh)
        return found.differing

    def _keep(self, folder: Path, known: Mapping[str, Stamp]) -> None:
        """Write the record of `folder`, where the disk takes it: else the next start reads its files again."""
        try:
            record.write(self._home.disk, folder, known)
        except OSError as error:
            _log.warning("could not store the file list of %s (%s): the next start reads it again", folder, error)

    async def _mend(self, revision: Revision, entries: Sequence[ArtifactEntry]) -> None:
        """Check the hashes of the files that `entries` are finished from; unpack the bundle again on damage."""
        if names := await in_thread(_damaged, revision, entries):
            _log.warning("%s of %s changed on disk: unpacking it again", _some(names), revision.name)
            await in_thread(clear_away, self._home.disk, revision.folder)
            candidate = await admit(self._blobs, revision.digest, UNHEARD)
            await unpack(candidate, self._blobs, revision.folder, self._home.disk, UNHEARD)

    async def complete(self, revision: Revision, entry: ArtifactEntry, wanted: Callable[[], bool]) -> Proof | None:
        """Finish and prove `entry`; return its proof. Raises DiskFull.

        Returns None where the artifact is not `wanted` any more.
        """
        disk = self._home.disk
        if (known := proof.read(revision.finished, entry)) is not None:
            return known  # its answers alone are lacking
        if await link(revision, [entry], disk):
            return proof.read(revision.finished, entry)
        threads = self._threads(revision.config.function)
        await self._mend(revision, [entry])
        try:
            await finish(revision, [entry], disk, self._finisher, UNHEARD, threads=threads, wanted=wanted)
        except DeploymentRefused as error:
            if wanted():
                name = f"{entry.model} {entry.target} of {revision.name}"
                _log.warning("cannot finish %s: %s", name, "\n".join(filter(None, [str(error), error.trace.rstrip()])))
                await put_verdict(revision, entry, str(error), disk)
        return proof.read(revision.finished, entry)

    async def _make(self, revision: Revision, progress: DeploymentProgress, candidate: Candidate | None) -> None:
        disk = self._home.disk
        if not self._unpacked(revision):
            candidate = candidate or await admit(self._blobs, revision.digest, progress)
            expect_room(disk, self._home.bundles, _bytes_of(candidate), f"the bundle of {revision.name}")
            await unpack(candidate, self._blobs, revision.folder, disk, progress)
        if not _live(revision):
            compatibility.check(_whole_config(revision), compatibility.this_machine())
            unproved = [one for one in self.lacking(revision) if proof.read(revision.finished, one) is None]
            if linked := await link(revision, unproved, disk):
                progress("finish", len(linked), len(linked), "as for another revision")
            await self._finish_first(revision, progress)

    async def _finish_first(self, revision: Revision, progress: DeploymentProgress) -> None:
        first = ranking.first(capability.available(revision.artifacts))
        if missing := [entry for entry in first if proof.read(revision.finished, entry) is None]:
            threads = self._threads(revision.config.function)
            await self._mend(revision, missing)
            await finish(revision, missing, self._home.disk, self._finisher, progress, threads=threads)
        if not _live(revision):
            told = [f"{entry.model} {entry.target}" for entry in first]
            raise DeploymentRefused(
                f"none of the artifacts of {revision.name} passes on this box ({', '.join(told)}): build it again"
            )

    def _unpacked(self, revision: Revision) -> bool:
        return (revision.folder / CONFIG).exists()

    def _files(self, revision: Revision) -> list[Path]:
        files = [revision.folder / CONFIG]
        for path, found in proof.read_all(revision.finished, revision.config.artifacts).items():
            files += [revision.finished / path / name for name in (proof.FILE, *found.files)]
        return files


def _damaged(revision: Revision, entries: Sequence[ArtifactEntry]) -> list[str]:
    """Return the damaged files of those that `entries` are finished from. Reads all of them."""
    folders = tuple(f"{entry.path}/" for entry in entries)
    others = {CONFIG, inputs.FILE, *(f"golden/{entry.model}.npz" for entry in entries)}

    def is_read(name: str) -> bool:
        return name in others or name.startswith(folders)

    known = record.read(revision.folder)
    if known is None:
        return [record.FILE]
    return record.compare(revision.folder, known, thorough=True, within=is_read).differing


def _some(names: Sequence[str]) -> str:
    told = ", ".join(name[:80] for name in names[:3])
    return f"{len(names)} files ({told}{', …' if len(names) > 3 else ''})"


def _served(revision: Revision) -> bool:
    """Tell whether every model has an artifact that serves, is complete and has passed its proof."""
    return _all_passed(revision, revision.config.artifacts)


def _live(revision: Revision) -> bool:
    """Tell whether every model has a first artifact that is complete and has passed its proof.

    Then the function can be served, whatever else breaks.
    """
    return _all_passed(revision, ranking.first(capability.available(revision.artifacts)))


def _all_passed(revision: Revision, entries: Iterable[ArtifactEntry]) -> bool:
    proofs = proof.read_all(revision.finished, entries)
    passed = {found.model for found in proofs.values() if found.passed}
    return passed >= {model.spec.name for model in revision.config.models}


def _whole_config(revision: Revision) -> BundleConfig:
    """Read the config with all artifacts: a revision's own config has only those that serve."""
    return parse_config((revision.folder / CONFIG).read_bytes())


def _bytes_of(candidate: Candidate) -> int:
    """Estimate the bytes that unpacking and finishing will write.

    A tar is a little larger than its files.
    """
    layers = candidate.layers
    portable = sum(layer.size for layer in layers if layer.media_type == ARTIFACT_TYPE)
    return sum(layer.size for layer in layers) + round(portable * FINISHED_PER_PORTABLE)
