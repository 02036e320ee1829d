"""A revision: a bundle installed on this box under a function's name. Data only."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgefn.bundle.config import ArtifactEntry, BundleConfig


class Revision(msgspec.Struct, frozen=True):
    """A revision, as the host needs it to serve.

    digest        of the bundle's manifest, "sha256:…"
    number        counts a function's deployments from 1
    folder        the unpacked bundle: code/, wheels/, artifacts/, golden/, config.json
    finished      finished artifacts of this machine's fingerprint: `Backend.load` gets `ArtifactEntry.path` below it
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
        """Return the function's name."""
        return self.config.function.name

    @property
    def served(self) -> tuple[str, ...]:
        """Return the paths of the artifacts that serve."""
        return tuple(entry.path for entry in self.config.artifacts)
