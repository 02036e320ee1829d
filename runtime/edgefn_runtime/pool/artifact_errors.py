"""An artifact that turns out to be broken as it is loaded: what the pool is told, so that it takes another."""

from __future__ import annotations

import signal
from typing import Any

from edgefn.errors import DeploymentRefused


class ArtifactBroken(DeploymentRefused):
    """The session of `artifact`, a path, does not load: a library is gone, a file damaged, an engine crashes."""

    def __init__(self, message: str, artifact: str, *, trace: str = "") -> None:
        super().__init__(message, trace=trace)
        self.artifact = artifact

    def as_problem(self) -> dict[str, Any]:
        return super().as_problem() | {"error": DeploymentRefused.__name__}


def refused(message: str, artifact: str, trace: str) -> DeploymentRefused:
    """A program that does not load, and the artifact, if any, that is why."""
    return ArtifactBroken(message, artifact, trace=trace) if artifact else DeploymentRefused(message, trace=trace)


def blames(artifact: str, status: int) -> bool:
    """Whether a process that ended with `status` while it loaded `artifact` ended by it.

    One that was killed did not: somebody killed it, or the memory ran out.
    """
    return bool(artifact) and status != -signal.SIGKILL
