"""A revision: a bundle installed on this box under a function's name. Data only."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgefn.bundle.config import ArtifactEntry, BundleConfig


class Revision(msgspec.Struct, frozen=True):
    """What the host needs to serve it.

    digest        of the bundle's manifest, "sha256:…"
    number        counts a function's deployments from 1
    folder        the unpacked bundle: code/, wheels/, artifacts/, golden/, config.json
    finished      below it, at `ArtifactEntry.path`, what `Backend.load` gets; of this machine's fingerprint
    deployed_at   ISO 8601, UTC
    artifacts     all of the bundle; those of `config` are the ones that serve, one for each model
    """

    digest: str
    number: int
    config: BundleConfig
    folder: Path
    finished: Path
    deployed_at: str
    artifacts: tuple[ArtifactEntry, ...] = ()

    @property
    def name(self) -> str:
        """The function's name."""
        return self.config.function.name

    @property
    def served(self) -> tuple[str, ...]:
        """The paths of the artifacts that serve."""
        return tuple(entry.path for entry in self.config.artifacts)
