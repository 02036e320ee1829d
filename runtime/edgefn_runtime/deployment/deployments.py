"""The deployed functions of this box, and every change of them: the one entry to deployment.

Each change runs in a task of its own, so that a client that leaves cancels it without cutting its clean-up
short. Never serves a request, never runs a bundle's code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from edgefn.api.deployments import DeploymentEvent
from edgefn.api.grants import Grant
from edgefn.errors import DeploymentRefused, EdgefnError, InputError, Unavailable
from edgefn.spec import FunctionSpec
from edgefn.targets.matcher import TargetRefusal
from edgefn_runtime.artifacts.finish.confined import ConfinedFinisher
from edgefn_runtime.artifacts.finishing import Finisher
from edgefn_runtime.artifacts.quarantine import Quarantine
from edgefn_runtime.deployment.catalogue import Catalogue
from edgefn_runtime.deployment.chains import ArtifactChains
from edgefn_runtime.deployment.checks import permissions
from edgefn_runtime.deployment.checks.maxima import Maxima
from edgefn_runtime.deployment.checks.permissions import Permission, Permissions
from edgefn_runtime.deployment.garbage import Garbage
from edgefn_runtime.deployment.gc_lock import GcLock
from edgefn_runtime.deployment.installation import Installation
from edgefn_runtime.deployment.locks import ChangeLocks
from edgefn_runtime.deployment.repair import Repair
from edgefn_runtime.deployment.transaction import DeploymentTransaction
from edgefn_runtime.host import Audit, Host, Unaudited
from edgefn_runtime.progress import DeploymentProgress, deployed
from edgefn_runtime.store import schema
from edgefn_runtime.store.blobs import Blobs
from edgefn_runtime.store.database import Database, HistoryEntry
from edgefn_runtime.store.home import Home
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.store.uncancellable import in_thread

T = TypeVar("T")
_log = logging.getLogger("edgefn.deployment")


class Deployments:
    """The deployments in `home`. It owns `database` from now on. Its coroutines belong to one event loop."""

    def __init__(
        self,
        home: Home,
        blobs: Blobs,
        database: Database,
        host: Host,
        *,
        finisher: Finisher | None = None,
        turns: ChangeLocks | None = None,
        threads: Callable[[FunctionSpec], int] = lambda spec: 1,
        audit: Audit | None = None,
        grants: Iterable[str] = (),
        development: bool = False,
        maxima: Maxima | None = None,
    ) -> None:
        self._maxima = maxima or Maxima()
        self._home, self._blobs, self._database, self._host = home, blobs, database, host
        quarantine = Quarantine(home.disk)
        self._catalogue = Catalogue(home, database, quarantine)
        finisher = finisher or ConfinedFinisher(host, home.disk)
        self._installation = Installation(home, blobs, quarantine, finisher, threads)
        self._garbage = Garbage(home, blobs, database)
        self._permissions = Permissions(database, configured=grants, development=development)
        self._audit = audit or Unaudited()
        self._road = DeploymentTransaction(
            *(blobs, database, self._catalogue, self._installation, self._garbage, host),
            self._permissions,
            self._maxima,
        )
        self._turns = turns or ChangeLocks()
        self._gate = GcLock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.chains = ArtifactChains(
            *(home, self._catalogue, self._installation, quarantine, host),
            is_changing=self._turns.held,
            spawn=self._spawn,
            threads=threads,
        )
        self._repair = Repair(
            *(self._catalogue, self._installation, self.chains, self._garbage, self._gate, host),
            fail=self._fail,
            spawn=self._spawn,
        )

    # ── what is deployed ──────────────────────────────────────────────────────────────────────────────

    def names(self) -> list[str]:
        """Return the names of the deployed functions, sorted."""
        return self._database.names()

    def current(self, name: str) -> Revision | None:
        """Return the revision that `name` routes to, or None when it is not deployed.

        A revision that cannot be read any more is returned as an empty function.
        """
        return self._catalogue.known(name)

    def specs(self) -> list[tuple[FunctionSpec, int, str]]:
        """Return the spec of each function, by name, with the number and the digest that serve.

        Reads no file.
        """
        return self._catalogue.specs()

    def history(self, name: str) -> list[HistoryEntry]:
        """Return the deployments of `name` that are remembered, newest first; reads none of their configs."""
        return self._database.history(name)

    def refusals(self, name: str) -> tuple[TargetRefusal, ...]:
        """Return the artifacts of the current revision that this box cannot run, each with the reason."""
        return self._catalogue.refusals(name)

    # ── blobs ─────────────────────────────────────────────────────────────────────────────────────────

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Return the digests that must be uploaded before a deployment.

        Raises BundleError for a string that is not a digest.
        """
        return self._blobs.missing(digests)

    async def ingest(self, digest: str, size: int, chunks: AsyncIterable[bytes]) -> None:
        """Receive a blob and store it. Raises BundleError, DiskFull."""
        await self._blobs.ingest(digest, size, chunks)

    # ── changes ───────────────────────────────────────────────────────────────────────────────────────

    async def deploy(self, name: str, manifest: str) -> AsyncIterator[DeploymentEvent]:
        """Deploy the bundle `manifest` as `name`; yield the events, the last one "deployed".

        Raises an EdgefnError when the deployment fails. Closing the iterator cancels the deployment, unless it is
        committed by then.
        """
        events: asyncio.Queue[DeploymentEvent | None] = asyncio.Queue()
        progress = DeploymentProgress(events.put_nowait)
        task = self._audited("deploy", name, manifest, lambda: self._road.deploy(name, manifest, progress), manifest)
        task.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            revision = _result(task)
            yield deployed(revision, await self.chains.look(name, again=True))
        finally:
            task.cancel()

    async def rollback(self, name: str, number: int | None = None) -> Revision:
        """Switch `name` to its deployment `number`, or to the one before the current; return the revision.

        Raises FunctionNotFound, DeploymentRefused.
        """
        task = self._audited("rollback", name, "a rollback", lambda: self._road.rollback(name, number))
        await asyncio.shield(asyncio.wait({task}))
        return _result(task)

    async def remove(self, name: str) -> None:
        """Remove the function `name`. Raises FunctionNotFound.

        The removal is completed even when its caller is cancelled.
        """
        task = self._audited("remove", name, "a removal", lambda: self._road.remove(name))
        await asyncio.shield(asyncio.wait({task}))
        _result(task)

    def _change(self, name: str, wish: str, work: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        async def change() -> T:
            try:
                async with self._gate.installing():
                    return await work()
            finally:
                with contextlib.suppress(asyncio.CancelledError):  # the change itself is over by now
                    await self._gate.collect(self._garbage.collect)

        task = self._spawn(self._turns.take(name, wish, change))
        task.add_done_callback(lambda _: self._spawn(self.chains.follow(name)))
        return task

    def _audited(
        self, action: str, name: str, wish: str, work: Callable[[], Coroutine[Any, Any, T]], wanted: str = ""
    ) -> asyncio.Task[T]:
        """Change `name`, and audit the change when it is over: the digests before and after, and the result.

        "Before" is when its turn has come: an earlier change may have been running when it was requested.
        """
        before = self._digest(name)

        async def begun() -> T:
            nonlocal before
            before = self._digest(name)
            return await work()

        def tell(task: asyncio.Task[Any]) -> None:
            result, detail = _outcome(task)
            after = self._digest(name) if result == "ok" else wanted
            self._audit.change(action, function=name, before=before, after=after, result=result, detail=detail)

        task = self._change(name, wish, begun)
        task.add_done_callback(tell)
        return task

    def _digest(self, name: str) -> str:
        entry = self._database.current(name)
        return entry.digest if entry else ""

    # ── grants ────────────────────────────────────────────────────────────────────────────────────────────

    def grants(self, name: str = "") -> list[Grant]:
        """Return the grants of `name`, or of all functions.

        Those of development mode, which are not stored, are included.
        """
        specs = [self._catalogue.spec(one) for one in ([name] if name else self._database.names())]
        there = [one for spec in specs if spec is not None for one in self._permissions.of(spec)]
        return sorted({*there, *self._permissions.granted(name)})

    def asked(self, name: str) -> list[Permission]:
        """Return the permissions that `name` asks for, granted or not; [] where it is not deployed."""
        spec = self._catalogue.spec(name)
        return [] if spec is None else permissions.asked(spec)

    async def allow(self, name: str, permission: Permission, by: str) -> None:
        """Grant `name` the permission, for later revisions too; serve it where it waited for that alone."""
        spec = self._catalogue.spec(name)
        waited = spec is not None and bool(self._permissions.missing(spec))
        if await in_thread(self._database.grant, name, permission.kind, permission.value, by):
            self._audit.change("allow", function=name, detail=str(permission), result="ok")
        if waited and spec is not None and not self._permissions.missing(spec):
            await self._settle(name, f"a grant of {permission}")

    async def revoke(self, name: str, permission: Permission) -> None:
        """Take the permission back; where `name` asks for it, end its processes and serve it no more."""
        if self._permissions.stands(name, permission):
            raise InputError(f"{permission} of {name} is granted in the box's configuration: remove it there")
        if await in_thread(self._database.revoke, name, permission.kind, permission.value):
            self._audit.change("revoke", function=name, detail=str(permission), result="ok")
        if permission in self.asked(name) or self._turns.held(name):  # a change that runs was let in with it
            await self._settle(name, f"a revocation of {permission}")

    async def _settle(self, name: str, wish: str) -> None:
        """Serve `name` if it has all that it asks for; else end its processes."""
        task = self._change(name, wish, lambda: self._serve_or_withhold(name))
        await asyncio.shield(asyncio.wait({task}))
        _result(task)

    async def _serve_or_withhold(self, name: str) -> None:
        if (revision := self._catalogue.current(name)) is None:
            return
        if missing := self._permissions.missing(revision.config.function):
            await self._withhold(revision, missing)
        else:
            await self._host.switch(name, revision)

    async def _withhold(self, revision: Revision, missing: list[Permission]) -> None:
        await self._host.remove(revision.name)
        await self._fail(revision.name, DeploymentRefused(permissions.why_not(revision.config.function, missing)))

    def _tell_of_kept(self) -> None:
        """Write the grants that an upgraded home got to the audit log.

        A home from before there were grants is given those that its functions use.
        """
        if 0 < self._database.had_version < schema.GRANTS_VERSION:
            for grant in self._database.granted():
                detail = f"{grant.permission}, kept from its deployment before grants existed"
                self._audit.change("allow", function=grant.function, detail=detail, result="ok")

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────

    async def restore(self) -> None:
        """Hand every deployed function to the host, and repair missing files in the background.

        This returns before a process is started or a blob is read: it is part of the time to the first answer.
        """
        leftovers = self._garbage.leftovers()
        self._tell_of_kept()
        revisions = []
        for entry in self._database.routed():
            try:
                revision = self._catalogue.revision(entry)
                if missing := self._permissions.missing(revision.config.function):
                    await self._withhold(revision, missing)
                    continue
                self._maxima.check(revision.config)
                await self._host.switch(entry.function, revision)
                revisions.append(revision)
            except Exception as error:
                await self._fail(entry.function, error)
        self._spawn(self._repair.run(revisions, leftovers))

    async def ensure_finished(self, revision: Revision) -> None:
        """Ensure that every file of `revision` is on the disk. See `Repair.ensure_finished`."""
        await self._repair.ensure_finished(revision)

    async def settled(self) -> None:
        """Wait until no change runs and all repairs of the start are done or have failed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def end(self) -> None:
        """Cancel all running changes, and wait for their end."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Cancel all running changes, and close the database: nothing writes to it any more."""
        await self.end()
        self._database.close()

    async def _fail(self, name: str, error: Exception) -> None:
        expected = isinstance(error, EdgefnError)
        _log.error("cannot serve %s: %s", name, error, exc_info=None if expected else error)
        self._audit.incident("fail", function=name, result="failed", detail=str(error))
        await self._host.fail(name, str(error))

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # who waits for it has it; where nobody does any more, asyncio need not warn


def _outcome(task: asyncio.Task[Any]) -> tuple[str, str]:
    """Return the result of a change in a word, and its reason, for the audit log."""
    if task.cancelled():
        return "cancelled", ""
    error = task.exception()
    if error is None:
        return "ok", ""
    return ("refused" if isinstance(error, EdgefnError) else "failed"), str(error)


def _result(task: asyncio.Task[T]) -> T:
    if task.cancelled():
        raise Unavailable("the box is shutting down: try again when it is back")
    return task.result()
