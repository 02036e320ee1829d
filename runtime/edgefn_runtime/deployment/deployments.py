"""The deployed functions of this box, and every change of them: the one entry to deployment.

Each change runs in a task of its own, so that a client that leaves cancels it without cutting its clean-up
short. Never serves a request, never runs a bundle's code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import DeploymentRefused, EdgefnError, InputError, Unavailable
from edgefn.spec import FunctionSpec
from edgefn.targets.matcher import TargetRefusal
from edgefn_runtime import timestamps
from edgefn_runtime.artifacts import changes, proof, ranking
from edgefn_runtime.artifacts.artifact_status import Chain
from edgefn_runtime.artifacts.background import Background
from edgefn_runtime.artifacts.changes import Known, later
from edgefn_runtime.artifacts.explanation import explain
from edgefn_runtime.artifacts.finish.confined import ConfinedFinisher
from edgefn_runtime.artifacts.finishing import Finisher
from edgefn_runtime.artifacts.proof import Proof
from edgefn_runtime.artifacts.quarantine import Marks
from edgefn_runtime.deployment import answers
from edgefn_runtime.deployment.catalogue import Catalogue
from edgefn_runtime.deployment.checks import compatibility, permissions
from edgefn_runtime.deployment.checks.maxima import Maxima
from edgefn_runtime.deployment.checks.permissions import Permission, Permissions
from edgefn_runtime.deployment.garbage import Garbage
from edgefn_runtime.deployment.gc_lock import GcLock
from edgefn_runtime.deployment.host import Audit, Host, Unaudited
from edgefn_runtime.deployment.installation import Installation
from edgefn_runtime.deployment.locks import ChangeLocks
from edgefn_runtime.deployment.progress import DeploymentProgress, deployed
from edgefn_runtime.deployment.transaction import DeploymentTransaction
from edgefn_runtime.fingerprint import facts
from edgefn_runtime.store import schema
from edgefn_runtime.store.blobs import Blobs
from edgefn_runtime.store.database import Database, Grant, HistoryEntry
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
        self._marks = Marks(home.disk)
        self._catalogue = Catalogue(home, database, self._marks)
        finisher = finisher or ConfinedFinisher(host, home.disk)
        self._installation = Installation(home, blobs, self._marks, finisher, threads)
        self._background = Background(
            self._installation, self._catalogue.current, self._finished, self._spawn, host.busy
        )
        self._known = Known({})
        self._threads = threads
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

    async def deploy(self, name: str, manifest: str) -> AsyncIterator[dict[str, Any]]:
        """Deploy the bundle `manifest` as `name`; yield the events, the last one "deployed".

        Raises an EdgefnError when the deployment fails. Closing the iterator cancels the deployment, unless it is
        committed by then.
        """
        events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        progress = DeploymentProgress(events.put_nowait)
        task = self._audited("deploy", name, manifest, lambda: self._road.deploy(name, manifest, progress), manifest)
        task.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            revision = _result(task)
            yield deployed(revision, await self._background.look(name, again=True))
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
        task.add_done_callback(lambda _: self._spawn(self._follow(name)))
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
                detail = f"{grant.kind} {grant.value}".rstrip() + ", kept from its deployment before grants existed"
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
        self._spawn(self._repair(revisions, leftovers))

    async def ensure_finished(self, revision: Revision) -> None:
        """Ensure that every file of `revision` is on the disk; repair those that are missing.

        This costs a few stats where nothing is missing. Raises BundleError, DeploymentRefused, DiskFull.
        """
        if not self._installation.ready(revision):
            async with self._gate.installing():
                await self._installation.ensure(revision)
            await self._refresh(revision)
            self._spawn(self._background.look(revision.name))

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

    async def _repair(self, revisions: list[Revision], leftovers: list[Path]) -> None:
        await self._look_for_changes()
        for revision in revisions:
            try:
                await self._inspect(revision)
                await self.ensure_finished(revision)
            except Exception as error:
                await self._fail(revision.name, error)
            else:
                await self._background.look(revision.name)
        await self._inspect_others(revisions)
        await in_thread(self._garbage.sweep, leftovers)
        await self._gate.collect(self._garbage.collect)

    async def _inspect(self, revision: Revision) -> None:
        """Check that the files of `revision` are as they were unpacked and finished.

        Where some differ, they are made again, and the function's processes are restarted: they may have read the
        others.
        """
        async with self._gate.installing():
            told = await in_thread(self._installation.inspect, revision)
        for line in told:
            _log.warning("%s: %s", revision.name, line)
            self._host.note(revision.name, line)
        if told:
            await self.ensure_finished(revision)
            await self._host.restart(revision.name)

    async def _inspect_others(self, revisions: list[Revision]) -> None:
        try:
            async with self._gate.installing():
                told = await in_thread(self._installation.inspect_others, {one.folder for one in revisions})
        except OSError as error:
            _log.warning("cannot verify the unpacked bundles: %s", error)
        else:
            for line in told:
                _log.warning("%s", line)

    async def _refresh(self, revision: Revision) -> None:
        """Tell the host that `revision` is complete again and which artifacts serve.

        Does nothing when another bundle serves by now.
        """
        current = self._catalogue.current(revision.name)
        if current is not None and current.digest == revision.digest:
            await self._host.switch(revision.name, current)

    async def _look_for_changes(self) -> None:
        now = timestamps.now("microseconds")
        here = msgspec.to_builtins(facts())
        try:
            self._known = await in_thread(changes.look, self._home.disk, self._home.finished, here, now)
        except OSError as error:
            _log.warning("could not store the fingerprint of this machine: %s", error)
        if self._known.change and self._known.at == now:
            _log.warning("the box has changed (%s): finishing artifacts again", self._known.change)

    # ── the chain ─────────────────────────────────────────────────────────────────────────────────────

    def chain(self, name: str) -> Chain | None:
        """Return the state of each artifact of `name`, or None when it is not deployed. Reads some files."""
        revision = self._catalogue.current(name)
        if revision is None:
            return None
        since = self._known.change and later(self._known.at, revision.deployed_at)
        unasked = {entry.path for entry in answers.lacking(revision, revision.artifacts)}
        proofs = proof.read_all(revision.finished, revision.artifacts)
        return Chain(
            revision=revision,
            proofs={path: found for path, found in proofs.items() if path not in unasked},
            answers=answers.read(revision.finished),
            unanswered=answers.why_not(revision.config),
            broken=self._marks.of(revision.finished),
            unfinished=self._background.given_up(revision),
            refusals=compatibility.refusals(revision.artifacts),
            finishing=self._background.progress(revision),
            changed=f"the box has changed: {self._known.change}" if since else "",
        )

    def explain(self, name: str, cores: float) -> dict[str, Any] | None:
        """Explain why `name` is served as it is, and what would make it faster on `cores` cores.

        Returns None when it is not deployed.
        """
        found = self.chain(name)
        return None if found is None else explain(found, cores, self._threads)

    async def fall_back(self, revision: Revision, artifact: str, reason: str) -> Revision | None:
        """Return `revision` with the next artifacts in the ranking in place of `artifact`, which broke.

        Returns None where there is no other. The artifact is not chosen again before a redeployment, or on another
        machine or library.
        """
        entry = next((one for one in revision.artifacts if one.path == artifact), None)
        if entry is None or ranking.portable(entry):
            return None
        if await in_thread(proof.read, revision.finished, entry) is not None:  # else it is gone, and is finished again
            self._marks.add(revision.finished, artifact, reason)
            self._spawn(self._keep_marks(revision))
        instead = await in_thread(self._chosen_anew, revision)
        if instead.served == revision.served:
            return None
        told = ", ".join(f"{one.model} {one.target}" for one in instead.config.artifacts)
        _log.warning(
            "%s %s of %s is broken (%s): serving with %s", entry.model, entry.target, revision.name, reason, told
        )
        self._host.note(revision.name, f"{entry.model} {entry.target} is broken: {reason}; now serving with {told}")
        return instead

    def _chosen_anew(self, revision: Revision) -> Revision:
        """Return `revision` with the artifacts that can serve now. Reads libraries and proofs, so it blocks."""
        compatibility.look_again()
        return self._catalogue.again(revision)

    async def _keep_marks(self, revision: Revision) -> None:
        try:
            await in_thread(self._marks.keep, revision.finished)
        except OSError as error:
            _log.warning("could not store the broken-artifact mark of %s: %s", revision.name, error)

    async def _follow(self, name: str) -> None:
        """Schedule the missing artifacts of `name` after a change, and serve it with the best there are."""
        await self._background.look(name)
        revision = self._catalogue.current(name)
        if revision is not None and len(revision.artifacts) > len(revision.config.models):
            await self._move(revision)

    async def _finished(self, revision: Revision, entry: ArtifactEntry, found: Proof) -> None:
        """Report an artifact that now has its proof, and serve with it where it is the best.

        It does not serve where the handler's answers with it differ from eager's.
        """
        if found.passed and revision.config.requests:
            found = await self._asked(revision, entry, found)
        await self._move(revision)
        name = f"{entry.model} {entry.target}"
        current = self._catalogue.current(revision.name)
        serves = current is not None and entry.path in current.served
        _log.info("%s of %s is finished: %s", name, revision.name, _told(found, serves=serves))
        self._host.note(revision.name, f"{name} is finished: {_told(found, serves=serves)}")

    async def _asked(self, revision: Revision, entry: ArtifactEntry, found: Proof) -> Proof:
        """Compare the handler's answers with `entry` with eager's; return its proof.

        Where they differ, the returned proof is failed and the artifact is marked, so that it is not chosen.
        """
        asked = await answers.ask(self._host, answers.beside(revision, entry))
        await in_thread(self._installation.record, revision, [entry.path], asked)
        if asked.passed:
            return found
        reason = answers.refusal(asked)
        await in_thread(self._installation.mark, revision, [entry], reason)
        return msgspec.structs.replace(found, passed=False, reason=reason)

    async def _move(self, revision: Revision) -> None:
        current = self._catalogue.current(revision.name)
        if current is None or current.digest != revision.digest or self._turns.held(revision.name):
            return  # who changes the function looks for the best artifacts at the end
        try:
            await self._host.move(revision.name, current)
        except Unavailable:  # somebody stopped the function meanwhile: the next start is of the best ones
            await self._host.switch(revision.name, current)
        except EdgefnError as error:
            _log.warning("could not move %s to its best artifacts: %s", revision.name, error)

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


def _told(found: Proof, *, serves: bool) -> str:
    if not found.passed:
        return f"not served, {found.reason}"
    error = found.reason if found.error is None else f"error {found.error:.1e}"
    figures = f"{error}, {found.ratio:.2f} × the latency of the portable one"
    return f"{figures}, {'it serves now' if serves else 'not the fastest'}"


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
