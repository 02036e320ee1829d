"""The seams of deployment: the host, which serves revisions (the supervisor), and the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edgefn_runtime.store.revision import Revision
from edgefn_runtime.wire.messages import FinishRequest


class Audit(Protocol):
    """The record of the changes on this box, and of the actors that made them: the telemetry."""

    def change(self, action: str, **members: str) -> None: ...
    def incident(self, action: str, **members: str) -> None: ...


class Unaudited:
    """An audit log that keeps nothing, for a box without one."""

    def change(self, action: str, **members: str) -> None:
        """Do nothing."""

    def incident(self, action: str, **members: str) -> None:
        """Do nothing."""


class Host(Protocol):
    """The functions that are served, and their processes. Every call may be repeated."""

    async def isolated(self) -> list[str]:
        """Return the warnings for a deployment about isolation that this machine lacks.

        Raises DeploymentRefused where required isolation is missing, Unavailable where it is not known in time.
        """

    async def prepare(self, revision: Revision) -> None:
        """Start a template of `revision` that imports the handler and loads its models.

        It serves no request yet. Raises DeploymentRefused, with the handler's trace, when it does not load.
        """

    async def switch(self, name: str, revision: Revision) -> None:
        """Route new requests for `name` to `revision`, prepared or not; the one before drains and ends.

        When the same revision serves already with the same artifacts, only its description changes. With other
        artifacts, new instances load those from now on, and the present ones end one by one as new ones are ready.
        """

    async def move(self, name: str, revision: Revision) -> None:
        """Switch `name` to other artifacts of the bundle that serves, as `switch` does.

        Where the function has processes, a template is ready before the switch. Raises DeploymentRefused, Unavailable;
        then nothing has changed.
        """

    async def ask(self, revision: Revision, questions: Sequence[bytes]) -> list[bytes]:
        """Send `questions` to a confined instance of `revision` and return its replies.

        The instance compares its answers with eager's. It serves no request and ends afterwards. Raises
        DeploymentRefused (it does not load), InstanceLost, HandlerTimeout, and Unavailable (there is no memory for it
        now).
        """

    async def finish(self, request: FinishRequest, limit_s: float) -> bytes:
        """Finish and prove the artifact of `request` in a confined process; return the proof it wrote.

        The process has ended when this returns. Raises DeploymentRefused when it dies, is over a bound or takes longer
        than `limit_s`; DiskFull; Unavailable.
        """

    def busy(self) -> bool:
        """Tell whether a request of any function is waiting for an instance."""

    def note(self, name: str, line: str) -> None:
        """Write `line` to the log of `name`."""

    async def discard(self, revision: Revision) -> None:
        """End the processes of a prepared revision that will not be switched to.

        A revision that is not known is ignored.
        """

    async def restart(self, name: str) -> None:
        """End every process of `name` after it has answered its requests; the next request starts it."""

    async def remove(self, name: str) -> None:
        """Stop serving `name` and end all its processes."""

    async def fail(self, name: str, reason: str) -> None:
        """Mark the deployed function `name` as one that cannot be served, for `reason`, until it is switched again."""
