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
from edgefn_runtime.artifacts import capability, proof, ranking
from edgefn_runtime.artifacts.quarantine import Quarantine
from edgefn_runtime.deployment import answers
from edgefn_runtime.deployment.checks.admission import Candidate
from edgefn_runtime.fingerprint import fingerprint
from edgefn_runtime.store.database import Database, HistoryEntry
from edgefn_runtime.store.home import Home
from edgefn_runtime.store.revision import Revision


class Catalogue:
    """The revisions that are, or were, deployed in `home`.

    Artifacts with a mark in `quarantine` broke: they are not chosen.
    """

    def __init__(self, home: Home, database: Database, quarantine: Quarantine) -> None:
        self._home = home
        self._database = database
        self._quarantine = quarantine

    def current(self, name: str) -> Revision | None:
        """Return the revision that serves `name`; None when it is not deployed or its config cannot be read."""
        entry = self._database.current(name)
        return None if entry is None else self.readable(entry)

    def known(self, name: str) -> Revision | None:
        """Return the revision that `name` routes to, for display; None when it is not deployed.

        A revision that cannot be read any more is an empty function with its digest and number: it can be listed,
        replaced and removed.
        """
        entry = self._database.current(name)
        return None if entry is None else self._known(entry)

    def spec(self, name: str) -> FunctionSpec | None:
        """Return the function's spec from its bundle, or None where `current` is None. Reads no file."""
        entry = self._database.current(name)
        config = None if entry is None else _readable(entry)
        return None if config is None else config.function

    def specs(self) -> list[tuple[FunctionSpec, int, str]]:
        """Return the spec of each function, by name, with the number and the digest that serve.

        Unreadable revisions are as in `known`. In one query, and reads no file.
        """
        return [((_readable(one) or _empty(one)).function, one.number, one.digest) for one in self._database.routed()]

    def refusals(self, name: str) -> tuple[TargetRefusal, ...]:
        """Return the artifacts of the current revision that this box cannot run, each with the reason."""
        entry = self._database.current(name)
        config = None if entry is None else _readable(entry)
        return () if config is None else tuple(capability.refusals(config.artifacts).values())

    def readable(self, entry: HistoryEntry) -> Revision | None:
        """Return the deployment `entry`; None where its config is not to be read by this edgefn."""
        return None if _readable(entry) is None else self.revision(entry)

    def _known(self, entry: HistoryEntry) -> Revision:
        return self.readable(entry) or self._revision(entry.digest, entry.number, _empty(entry), entry.deployed_at)

    def revision(self, entry: HistoryEntry) -> Revision:
        """Return the deployment `entry` as a revision.

        Raises BundleError when this edgefn cannot read its config.
        """
        return self._revision(entry.digest, entry.number, _config(entry.config), entry.deployed_at)

    def upcoming(self, candidate: Candidate) -> Revision:
        """Return the revision that a deployment of `candidate` will be.

        Its artifacts are chosen by the proofs there are.
        """
        number = self._database.next_number(candidate.config.function.name)
        return self._revision(candidate.digest, number, candidate.config, "", asked=False)

    def again(self, revision: Revision) -> Revision:
        """Choose the artifacts of `revision` again and return it with them."""
        config = msgspec.structs.replace(revision.config, artifacts=revision.artifacts)
        return self._revision(revision.digest, revision.number, config, revision.deployed_at)

    def _revision(
        self, digest: str, number: int, config: BundleConfig, deployed_at: str, *, asked: bool = True
    ) -> Revision:
        """Build a revision with the artifacts that serve on this machine.

        With `asked`, an artifact is not chosen before its answers have been compared with eager's.
        """
        folder, finished = self.folders(digest)
        chosen = capability.available(config.artifacts)
        whole = Revision(digest, number, config, folder, finished, deployed_at, config.artifacts)
        if len(chosen) > len(config.models):
            broken = set(self._quarantine.of(finished))
            broken |= {entry.path for entry in answers.lacking(whole, chosen)} if asked else set()
            chosen = ranking.serving(chosen, proof.read_all(finished, chosen), broken)
        return msgspec.structs.replace(whole, config=msgspec.structs.replace(config, artifacts=chosen))

    def folders(self, digest: str) -> tuple[Path, Path]:
        """Return the folder of the unpacked bundle, and that of its artifacts finished for this machine."""
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
    """Parse a config once: each look at a function asks for the config of its current revision."""
    return parse_config(data)
