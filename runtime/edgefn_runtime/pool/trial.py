"""A confined instance of a revision that serves no call: it is asked about its answers, and ends.

It is counted in the memory of the box and in nothing else: no metric, no queue, no cold start. It runs only where its
memory fits beside all that runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from edgefn.errors import HandlerTimeout, InstanceLost, Unavailable
from edgefn.text.quantities import format_duration
from edgefn_runtime.calls.call import Call
from edgefn_runtime.memory.budget import MemoryBudget
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.workers.instance import Instance
from edgefn_runtime.workers.launcher import InstanceLauncher

MAX_REPLY_BYTES = 1 << 20
"""The limit of an instance's report of one answer, which is stored and shown to people."""


class ConfinedTrial:
    """An instance of `revision`; the trial is its `Owner`, and a `Tenant` of `budget`."""

    def __init__(self, revision: Revision, launcher: InstanceLauncher, budget: MemoryBudget) -> None:
        self.spec = revision.config.function
        self.launcher = launcher
        self.used_at = time.monotonic()
        self._revision = revision
        self._budget = budget
        self._instance = Instance(self.spec.name, self, budget.answers)

    @property
    def digest(self) -> str:
        return self._revision.digest

    @property
    def instances(self) -> list[Instance]:
        return [self._instance]

    async def ask(self, questions: Sequence[bytes]) -> list[bytes]:
        """Return the reply to each question, in order; the instance is gone afterwards.

        Raises DeploymentRefused (it does not load), InstanceLost (it died), HandlerTimeout, and Unavailable where there
        is no memory for it now.
        """
        try:
            if not self._budget.has_room_for_instance(self):
                raise Unavailable(f"no memory for another instance of {self.spec.name}")
            self._budget.grant(self._instance)
            await self.launcher.launch(self._instance, lambda: self._revision, only_start=True)
            return [await self._reply(question) for question in questions]
        finally:
            self._instance.kill()
            await self._instance.wait_ended()
            await self.launcher.end()

    async def _reply(self, question: bytes) -> bytes:
        call = Call("", "", "", question)
        call.compares = True
        call.deadline = time.monotonic() + self.spec.timeout_s
        self._instance.send(call)
        try:
            async with asyncio.timeout(self.spec.timeout_s):
                reply = (await call.future).body
        except TimeoutError:
            limit = format_duration(self.spec.timeout_s)
            raise HandlerTimeout(f"{self.spec.name} did not answer a sample within its timeout of {limit}") from None
        if len(reply) > MAX_REPLY_BYTES:
            raise InstanceLost(
                f"{self.spec.name} answered a sample with {len(reply)} bytes, over the limit of {MAX_REPLY_BYTES}"
            )
        return reply

    # ── Owner of the instance ────────────────────────────────────────────────────────────────────────────────

    def worked(self, seconds: float) -> None:
        """Ignore the time: no call waits, so nothing is learnt."""

    def unseen(self, calls: list[Call]) -> None:
        for call in calls:
            call.fail(InstanceLost(f"the instance of {self.spec.name} ended before it started a sample"))

    def freed(self, instance: Instance) -> None:
        """Ignore the free place: `ask` sends the next question."""

    def answered_wrongly(self, artifact: str, reason: str) -> None:
        """Ignore the report: the call fails for the same reason, and its reply shows that."""

    def ended(self, instance: Instance, unseen: list[Call]) -> None:
        self.unseen(unseen)
        self.launcher.release(instance)
