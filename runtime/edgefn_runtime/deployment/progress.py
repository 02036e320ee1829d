"""The events of a deployment, as the admin API sends them. Makes them, sends nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from edgefn_runtime.store.revision import Revision

Step = Literal["verify", "permit", "unpack", "finish", "prove", "start", "compare", "activate"]


class DeploymentProgress:
    """Tells `emit` how far each step is."""

    def __init__(self, emit: Callable[[dict[str, Any]], None]) -> None:
        self._emit = emit

    def __call__(self, step: Step, done: int, total: int, detail: str = "") -> None:
        self._emit({"event": "step", "name": step, "done": done, "total": total, "detail": detail})

    def warn(self, text: str) -> None:
        """Tell what the deployer should know; the deployment goes on."""
        self._emit({"event": "warning", "text": text})


UNHEARD = DeploymentProgress(lambda event: None)
"""For work that nobody waits for."""


def deployed(revision: Revision, finishing: int = 0) -> dict[str, Any]:
    """The last event of a deployment that came to its end; so many artifacts are still `finishing` behind it."""
    return {
        "event": "deployed",
        "function": revision.name,
        "revision": revision.digest,
        "number": revision.number,
        "finishing": finishing,
    }
