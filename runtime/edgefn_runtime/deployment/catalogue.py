"""The database's entries as revisions: with their folders, and with the artifacts that serve on this machine.

Reads; changes nothing. A revision's config names one artifact for each model: the one that the host loads.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import msgspec

from edgefn.bundle.config import BundleConfig
from edgefn.bundle.oci.manifest import parse_config
from edgefn.errors import BundleError
from edgefn.spec import FunctionSpec
from edgefn.targets.matcher import TargetRefusal
from edgefn_runtime.artifacts import proof, ranking
from edgefn_runtime.artifacts.quarantine import Marks
from edgefn_runtime.deployment import answers
from edgefn_runtime.deployment.checks import compatibility
from edgefn_runtime.deployment.checks.admission import Candidate
from edgefn_runtime.fingerprint import fingerprint
from edgefn_runtime.store.database import Database, HistoryEntry
from edgefn_runtime.store.home import Home
from edgefn_runtime.store.revision import Revision


class Catalogue:
    """What is, or was, deployed in `home`. `marks` are of artifacts that broke: they are not chosen."""

    def __init__(self, home: Home, database: Database, marks: Marks) -> None:
        self._home = home
        self._database = database
        self._marks = marks

    def current(self, name: str) -> Revision | None:
        """What serves `name`, or None when it is not deployed, or cannot be read any more."""
        entry = self._database.current(name)
        return None if entry is None else self.readable(entry)

    def known(self, name: str) -> Revision | None:
        """Return what `name` routes to, for people; None when it is not deployed.

        What cannot be read any more is an empty function of its digest and number: it is listed, replaced and removed.
        """
        entry = self._database.current(name)
        return None if entry is None else self._known(entry)

    def spec(self, name: str) -> FunctionSpec | None:
        """Return what the function is, as its bundle says, or None where `current` is. Reads no file."""
        entry = self._database.current(name)
        config = None if entry is None else _readable(entry)
        return None if config is None else config.function

    def specs(self) -> list[tuple[FunctionSpec, int, str]]:
        """Return what each function is, by name, with the number and the digest that serve; as `known` has them.

        In one query, and reads no file.
        """
        return [((_readable(one) or _empty(one)).function, one.number, one.digest) for one in self._database.routed()]

    def refusals(self, name: str) -> tuple[TargetRefusal, ...]:
        """Why this box cannot run those artifacts of what serves `name` that it cannot."""
        entry = self._database.current(name)
        config = None if entry is None else _readable(entry)
        return () if config is None else tuple(compatibility.refusals(config.artifacts).values())

    def readable(self, entry: HistoryEntry) -> Revision | None:
        """Return the deployment `entry`; None where its config is not to be read by this edgefn."""
        return None if _readable(entry) is None else self.revision(entry)

    def _known(self, entry: HistoryEntry) -> Revision:
        return self.readable(entry) or self._revision(entry.digest, entry.number, _empty(entry), entry.deployed_at)

    def revision(self, entry: HistoryEntry) -> Revision:
        """The deployment `entry`. Raises BundleError when its config is not to be read by this edgefn."""
        return self._revision(entry.digest, entry.number, _config(entry.config), entry.deployed_at)

    def upcoming(self, candidate: Candidate) -> Revision:
        """What a deployment of `candidate` will be, its artifacts chosen by the proofs there are."""
        number = self._database.next_number(candidate.config.function.name)
        return self._revision(candidate.digest, number, candidate.config, "", asked=False)

    def again(self, revision: Revision) -> Revision:
        """`revision` with its artifacts chosen anew."""
        config = msgspec.structs.replace(revision.config, artifacts=revision.artifacts)
        return self._revision(revision.digest, revision.number, config, revision.deployed_at)

    def _revision(
        self, digest: str, number: int, config: BundleConfig, deployed_at: str, *, asked: bool = True
    ) -> Revision:
        """With `asked`, an artifact that the handler was not run with yet is not chosen."""
        folder, finished = self.folders(digest)
        chosen = compatibility.available(config.artifacts)
        whole = Revision(digest, number, config, folder, finished, deployed_at, config.artifacts)
        if len(chosen) > len(config.models):
            broken = set(self._marks.of(finished))
            broken |= {entry.path for entry in answers.lacking(whole, chosen)} if asked else set()
            chosen = ranking.serving(chosen, proof.read_all(finished, chosen), broken)
        return msgspec.structs.replace(whole, config=msgspec.structs.replace(config, artifacts=chosen))

    def folders(self, digest: str) -> tuple[Path, Path]:
        """Where the bundle is unpacked, and where its artifacts are finished for this machine."""
        name = digest.removeprefix("sha256:")
        return self._home.bundles / name, self._home.finished / fingerprint() / name


def _empty(entry: HistoryEntry) -> BundleConfig:
    return BundleConfig(FunctionSpec(entry.function, ""))


def _readable(entry: HistoryEntry) -> BundleConfig | None:
    try:
        return _config(entry.config)
    except BundleError:
        return None


@lru_cache(maxsize=512)
def _config(data: bytes) -> BundleConfig:
    """Parse a config once: each look at a function asks for that of what serves."""
    return parse_config(data)
