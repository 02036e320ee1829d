"""The events of a deployment, as the admin API sends them. Makes them, sends nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from edgefn_runtime.store.revision import Revision

Step = Literal["verify", "permit", "unpack", "finish", "prove", "start", "compare", "activate"]


class DeploymentProgress:
    """Reports to `emit` how far each step is."""

    def __init__(self, emit: Callable[[dict[str, Any]], None]) -> None:
        self._emit = emit

    def __call__(self, step: Step, done: int, total: int, detail: str = "") -> None:
        self._emit({"event": "step", "name": step, "done": done, "total": total, "detail": detail})

    def warn(self, text: str) -> None:
        """Send a warning to the deployer; the deployment goes on."""
        self._emit({"event": "warning", "text": text})


UNHEARD = DeploymentProgress(lambda event: None)
"""For work that nobody waits for."""


def deployed(revision: Revision, finishing: int = 0) -> dict[str, Any]:
    """Return the last event of a successful deployment; `finishing` artifacts are still to be finished."""
    return {
        "event": "deployed",
        "function": revision.name,
        "revision": revision.digest,
        "number": revision.number,
        "finishing": finishing,
    }
