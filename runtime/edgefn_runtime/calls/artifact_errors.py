"""An artifact that turns out to be broken as it is loaded: the error by which the pool knows to take another."""

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
    """Make the error for a program that does not load, with the artifact, if any, that is the cause."""
    return ArtifactBroken(message, artifact, trace=trace) if artifact else DeploymentRefused(message, trace=trace)


def blames(artifact: str, status: int) -> bool:
    """Tell whether `artifact`, while it was loaded, made the process end with `status`.

    A process that was killed does not count: a person killed it, or the memory ran out.
    """
    return bool(artifact) and status != -signal.SIGKILL
