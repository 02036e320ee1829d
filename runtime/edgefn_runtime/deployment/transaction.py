"""One change: a deployment, a rollback, a removal.

Before its commit the old revision serves, after it the new one does.

Every step may fail or be cancelled up to the commit, and leaves nothing; from the commit on it goes to the
end. The caller makes sure that only one change of a function runs at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from edgefn import backends
from edgefn.accuracy.answers.record import Agreed
from edgefn.codec.compatibility import breaks
from edgefn.errors import DeploymentRefused, FunctionNotFound
from edgefn.system import machine
from edgefn.text.quantities import format_duration
from edgefn_runtime.artifacts import ranking
from edgefn_runtime.deployment import answers, retention
from edgefn_runtime.deployment.catalogue import Catalogue
from edgefn_runtime.deployment.checks import compatibility, permissions
from edgefn_runtime.deployment.checks.admission import Candidate, admit, check_name
from edgefn_runtime.deployment.checks.maxima import Maxima
from edgefn_runtime.deployment.checks.permissions import Permissions
from edgefn_runtime.deployment.garbage import Garbage
from edgefn_runtime.deployment.installation import Installation
from edgefn_runtime.host import Host
from edgefn_runtime.progress import DeploymentProgress
from edgefn_runtime.store.blobs import Blobs
from edgefn_runtime.store.database import Database, HistoryEntry
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.store.uncancellable import in_thread, to_the_end

START_S = 90.0
"""The host has its own, shorter deadline for a template; this one is for a host that hangs."""

INSTALLED_AT_ONCE = 4
"""Deployments that unpack, finish and prove: each of their finishers may take a gibibyte."""

LOADED_AT_ONCE = max(2, machine.whole_cores())
"""Deployments that import their handlers, with a deadline each: all at once, none of hundreds would come to its end.

Two of them at the least: one that hangs does not keep all others waiting. A rollback waits for none.
"""

DRAIN_S = 120.0
"""Files of what was switched away from stay for so long beyond the function's timeout, for what drains."""


class DeploymentTransaction:
    """Takes a bundle from its manifest's digest to a served revision, and back."""

    def __init__(
        self,
        blobs: Blobs,
        database: Database,
        catalogue: Catalogue,
        installation: Installation,
        garbage: Garbage,
        host: Host,
        permissions: Permissions,
        maxima: Maxima,
    ) -> None:
        self._maxima = maxima
        self._blobs, self._database, self._catalogue = blobs, database, catalogue
        self._permissions = permissions
        self._installation, self._garbage, self._host = installation, garbage, host
        self._installing = asyncio.Semaphore(INSTALLED_AT_ONCE)
        self._loading = asyncio.Semaphore(LOADED_AT_ONCE)

    async def deploy(self, name: str, digest: str, progress: DeploymentProgress) -> Revision:
        """Deploy the bundle `digest` as `name`. A revision that serves already keeps its number."""
        for lacking in await self._host.isolated():
            progress.warn(lacking)
        candidate = await admit(self._blobs, digest, progress)
        check_name(candidate, name)
        self._maxima.check(candidate.config)
        backends.look_again()
        compatibility.check(candidate.config, compatibility.this_machine())
        self._permit(candidate, progress)
        upcoming = self._catalogue.upcoming(candidate)
        await in_thread(self._installation.forgive, upcoming)
        async with self._installing:
            await self._installation.ensure(upcoming, progress, candidate)
        current = self._catalogue.current(name)
        if current is not None:
            for broken in breaks(current.config.function, candidate.config.function):
                progress.warn(f"clients of revision {current.number}: {broken}")
        if current is not None and current.digest == digest:
            await self._host.switch(name, current)
            progress("activate", 1, 1, "it serves already")
            return current
        progress("start", 0, 1)
        async with self._loading:
            upcoming = self._catalogue.upcoming(candidate)
            await self._start(upcoming)
            progress("start", 1, 1)
            upcoming = await self._compared(upcoming, candidate, progress)
        await _beyond_cancelling(self._activate(upcoming, candidate))
        progress("activate", 1, 1)
        deployed = self._catalogue.current(name)
        assert deployed is not None
        return deployed

    async def rollback(self, name: str, number: int | None) -> Revision:
        """Switch `name` to the deployment `number`, or to the one before the current. Needs no network.

        Raises FunctionNotFound, or DeploymentRefused when this box has no such deployment.
        """
        current = self._database.current(name)
        if current is None:
            raise _not_found(name)
        target = self._earlier(current) if number is None else self._numbered(current, number)
        revision = self._catalogue.revision(target)
        self._permissions.require(revision.config.function)
        self._maxima.check(revision.config)
        await self._installation.ensure(revision)
        await self._start(revision)
        await _beyond_cancelling(self._reroute(revision, current))
        return revision

    async def remove(self, name: str) -> None:
        """Remove `name` with its processes and its history. Raises FunctionNotFound."""
        await _beyond_cancelling(self._remove(name))

    # ── deploy ────────────────────────────────────────────────────────────────────────────────────────

    def _permit(self, candidate: Candidate, progress: DeploymentProgress) -> None:
        """Report the permissions that the function asks for.

        Raises DeploymentRefused where one of them is not granted.
        """
        spec = candidate.config.function
        self._permissions.require(spec)
        if wanted := ", ".join(map(str, permissions.asked(spec))):
            progress("permit", 1, 1, wanted)
            if self._permissions.development:
                progress.warn(f"granted in development mode, which another box will not do: {wanted}")

    async def _start(self, revision: Revision) -> None:
        """Prepare `revision`, so that the host can switch to it at once; discard it on an error.

        Raises DeploymentRefused where it is not ready within START_S.
        """
        try:
            async with asyncio.timeout(START_S):
                await self._host.prepare(revision)
        except BaseException as error:
            await to_the_end(self._host.discard(revision))
            if isinstance(error, TimeoutError):
                raise DeploymentRefused(
                    f"{revision.name} was not ready within {format_duration(START_S)}: "
                    "do the slow work in the handler or at build"
                ) from None
            raise

    async def _compared(self, upcoming: Revision, candidate: Candidate, progress: DeploymentProgress) -> Revision:
        """Return `upcoming`, prepared, with artifacts whose answers match eager PyTorch's.

        Artifacts whose answers do not match are replaced by the next in the ranking. Raises DeploymentRefused when none
        is left.
        """
        if not upcoming.config.requests:
            return upcoming
        progress("compare", 0, 1)
        try:
            while not (found := await self._answers(upcoming)).passed:
                await to_the_end(self._host.discard(upcoming))
                upcoming = self._next(upcoming, candidate, answers.refusal(found))
                await self._start(upcoming)
        except BaseException:
            await to_the_end(self._host.discard(upcoming))
            raise
        progress("compare", 1, 1, found.unfit or str(found))
        return upcoming

    async def _answers(self, revision: Revision) -> Agreed:
        found = await answers.ask(self._host, revision)
        with contextlib.suppress(OSError):  # it is asked again when the disk takes it
            await in_thread(self._installation.record, revision, revision.served, found)
        return found

    def _next(self, upcoming: Revision, candidate: Candidate, reason: str) -> Revision:
        """Mark the artifacts that were to serve, and return the revision with the next in the ranking.

        Raises DeploymentRefused where there is no other.
        """
        name = upcoming.name
        others = [entry for entry in upcoming.config.artifacts if not ranking.portable(entry)]
        if not others:
            raise DeploymentRefused(f"{name}: {reason}. Build it again where this box's engine is installed")
        self._installation.mark(upcoming, others, reason)
        self._host.note(name, f"{', '.join(entry.target for entry in others)} of {name} is left: {reason}")
        return self._catalogue.upcoming(candidate)

    async def _activate(self, upcoming: Revision, candidate: Candidate) -> None:
        name = upcoming.name
        before = self._catalogue.current(name)
        try:
            entry = await in_thread(
                self._database.deploy, name, candidate.digest, candidate.config_bytes, candidate.blobs
            )
        except BaseException:
            await self._host.discard(upcoming)
            raise
        if before is not None:
            self._drains(before)
        try:
            await self._host.switch(name, self._catalogue.revision(entry))
        except BaseException:
            await in_thread(self._database.withdraw, entry)
            await self._back_to(name, before)
            await self._host.discard(upcoming)
            raise

    async def _back_to(self, name: str, before: Revision | None) -> None:
        if before is None:
            await self._host.remove(name)
        else:
            await self._host.switch(name, before)

    def _drains(self, revision: Revision) -> None:
        self._garbage.spare(revision.digest, revision.config.function.timeout_s + DRAIN_S)

    # ── rollback ──────────────────────────────────────────────────────────────────────────────────────

    def _earlier(self, current: HistoryEntry) -> HistoryEntry:
        """Find the deployment before `current` that can still be served.

        Deployments that were rolled back from are skipped. Raises DeploymentRefused where there is none.
        """
        before = retention.lineage(self._database.history(current.function), current.number)[1:]
        for entry in before:
            if self._here(entry):
                return entry
        raise DeploymentRefused(
            f"{current.function} has no earlier deployment on this box to go back to; "
            f"number {current.number} goes on serving"
        )

    def _numbered(self, current: HistoryEntry, number: int) -> HistoryEntry:
        entry = self._database.entry(current.function, number)
        if entry is not None and self._here(entry):
            return entry
        here = [str(one.number) for one in self._database.history(current.function) if self._here(one)]
        raise DeploymentRefused(
            f"deployment {number} of {current.function} is not on this box, which has {', '.join(here)}; "
            f"number {current.number} goes on serving"
        )

    def _here(self, entry: HistoryEntry) -> bool:
        folder, _ = self._catalogue.folders(entry.digest)
        return folder.exists() or all(self._blobs.has(blob.digest) for blob in entry.blobs)

    async def _reroute(self, revision: Revision, before: HistoryEntry) -> None:
        name = revision.name
        try:
            await in_thread(self._database.route, name, revision.number)
        except BaseException:
            await self._host.discard(revision)
            raise
        left = self._catalogue.readable(before)
        if left is not None:
            self._drains(left)
        try:
            await self._host.switch(name, revision)
        except BaseException:
            await in_thread(self._database.route, name, before.number)
            await self._back_to(name, left)
            await self._host.discard(revision)
            raise

    # ── remove ────────────────────────────────────────────────────────────────────────────────────────

    async def _remove(self, name: str) -> None:
        await in_thread(self._database.remove, name)
        await self._host.remove(name)


async def _beyond_cancelling(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end. A cancellation that comes meanwhile is dropped: it comes too late."""
    with contextlib.suppress(asyncio.CancelledError):
        await to_the_end(work)


def _not_found(name: str) -> FunctionNotFound:
    return FunctionNotFound(f"no function {name!r} on this box; `edgefn list` shows what there is")
