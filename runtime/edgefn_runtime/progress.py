"""The events of a deployment, as the admin API sends them. Makes them, sends nothing."""

from __future__ import annotations

from collections.abc import Callable

from edgefn.api.deployments import DeployedEvent, DeploymentEvent, Step, StepEvent, WarningEvent
from edgefn_runtime.store.revision import Revision


class DeploymentProgress:
    """Reports to `emit` how far each step is."""

    def __init__(self, emit: Callable[[DeploymentEvent], None]) -> None:
        self._emit = emit

    def __call__(self, step: Step, done: int, total: int, detail: str = "") -> None:
        self._emit(StepEvent(step, done, total, detail))

    def warn(self, text: str) -> None:
        """Send a warning to the deployer; the deployment goes on."""
        self._emit(WarningEvent(text))


UNHEARD = DeploymentProgress(lambda event: None)
"""For work without a listener."""


def deployed(revision: Revision, finishing: int = 0) -> DeployedEvent:
    """Return the last event of a successful deployment; `finishing` artifacts are still to be finished."""
    return DeployedEvent(revision.name, revision.digest, revision.number, finishing)
