"""Who serves revisions, as the deployment road needs it: the seam to the supervisor; and who keeps a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edgefn_runtime.store.revision import Revision
from edgefn_runtime.wire.messages import FinishRequest


class Audit(Protocol):
    """Who keeps what was done on this box, and by whom: the telemetry."""

    def change(self, action: str, **members: str) -> None: ...
    def incident(self, action: str, **members: str) -> None: ...


class Unaudited:
    """Keeps nothing, where nobody wants a record."""

    def change(self, action: str, **members: str) -> None:
        """Keep nothing."""

    def incident(self, action: str, **members: str) -> None:
        """Keep nothing."""


class Host(Protocol):
    """What is served, and by which processes. Every call may be repeated."""

    async def isolated(self) -> list[str]:
        """What a deployment is to be told of the isolation that this machine lacks.

        Raises DeploymentRefused where what is required of it is missing, Unavailable where it is not known in time.
        """

    async def prepare(self, revision: Revision) -> None:
        """A template of `revision` has imported the handler and loaded its models; it serves nobody yet.

        Raises DeploymentRefused, with the handler's trace, when it does not load.
        """

    async def switch(self, name: str, revision: Revision) -> None:
        """New requests for `name` go to `revision`, prepared or not; the one before drains and ends.

        When it serves already with the same artifacts, only what is told of it changes. With others, starts take those
        from now on, and the instances there are end one by one as new ones are ready.
        """

    async def move(self, name: str, revision: Revision) -> None:
        """As `switch`, to other artifacts of the bundle that serves; where it has processes, a template is ready first.

        Raises DeploymentRefused, Unavailable, and all stays as it was.
        """

    async def ask(self, revision: Revision, questions: Sequence[bytes]) -> list[bytes]:
        """A confined instance of `revision`, which serves nobody and ends then, replies to `questions` on its answers.

        Raises DeploymentRefused (it does not load), InstanceLost, HandlerTimeout; Unavailable: no memory for it now.
        """

    async def finish(self, request: FinishRequest, limit_s: float) -> bytes:
        """A confined process has finished and proved the artifact of `request` and has ended: the proof that it tells.

        Raises DeploymentRefused when it dies, is over a bound or takes longer than `limit_s`; DiskFull; Unavailable.
        """

    def busy(self) -> bool:
        """Whether a request of any function waits for an instance."""

    def note(self, name: str, line: str) -> None:
        """The log of `name` says `line`."""

    async def discard(self, revision: Revision) -> None:
        """A prepared revision that will not be switched to has no process; an unknown one is fine."""

    async def restart(self, name: str) -> None:
        """Every process of `name` has answered what it holds and ended; the next request starts it."""

    async def remove(self, name: str) -> None:
        """`name` is not served, and no process of it is left."""

    async def fail(self, name: str, reason: str) -> None:
        """`name` is deployed but cannot be served, for `reason`, until it is switched again."""
