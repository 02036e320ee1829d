"""Artifacts that deployed functions still lack, finished in the background, one at a time on the whole box.

Each is finished in a process of its own, which may die without harm to the box, and is begun when no request waits for
an instance. The list of missing artifacts is never kept: it is read off the disk, so a start after a power cut goes on
where the last one was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from edgefn.bundle.config import ArtifactEntry
from edgefn_runtime import timestamps
from edgefn_runtime.artifacts import capability
from edgefn_runtime.artifacts.artifact_status import Finishing
from edgefn_runtime.artifacts.proof import Proof
from edgefn_runtime.deployment.installation import Installation
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.store.uncancellable import in_thread, to_the_end

_log = logging.getLogger("edgefn.deployment")

CALM_S = 60.0
"""So long an artifact's turn is put off while requests wait: a box that is never calm gets it all the same."""

_LOOK_S = 0.1

Done = Callable[[Revision, ArtifactEntry, Proof], Awaitable[None]]
"""An artifact of a revision has its proof."""


class Background:
    """Finishes missing artifacts, one at a time.

    `current` returns the revision that serves a function; `spawn` runs a task that ends with the box; `busy` tells
    whether requests wait.
    """

    def __init__(
        self,
        installation: Installation,
        current: Callable[[str], Revision | None],
        done: Done,
        spawn: Callable[..., asyncio.Task[None]],
        busy: Callable[[], bool],
    ) -> None:
        self._installation, self._current, self._done = installation, current, done
        self._spawn, self._busy = spawn, busy
        self._wanted: dict[str, None] = {}
        self._progress: dict[str, tuple[str, Finishing]] = {}
        self._given_up: dict[tuple[str, str], str] = {}
        self._worker: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None
        self._at_work: tuple[str, str] | None = None

    async def look(self, name: str, *, again: bool = False) -> int:
        """Schedule the artifacts that the revision serving `name` lacks; return their number.

        Work on another revision of the function is cancelled. With `again`, artifacts that could not be finished before
        are tried again.
        """
        revision = self._current(name)
        digest = revision.digest if revision is not None else ""
        if self._work is not None and self._at_work is not None:
            function, at_work = self._at_work
            if function == name and at_work != digest:
                self._work.cancel()
        if again:
            self._given_up = {one: why for one, why in self._given_up.items() if one[0] != digest}
        lacking = [] if revision is None else await self._lacking(revision)
        if revision is None or not lacking:
            self._progress.pop(name, None)
            return 0
        if self._at_work != (name, digest):
            total = len(capability.available(revision.artifacts))
            self._progress[name] = (digest, Finishing(total - len(lacking), total))
        self._wanted[name] = None
        if self._worker is None or self._worker.done():
            self._worker = self._spawn(self._run())
        return len(lacking)

    def progress(self, revision: Revision) -> Finishing | None:
        """Return the progress of the artifacts of `revision`; None where none is being finished."""
        digest, found = self._progress.get(revision.name, ("", None))
        return found if digest == revision.digest else None

    def given_up(self, revision: Revision) -> dict[str, str]:
        """Return the artifacts of `revision` that could not be finished and are not retried.

        The reasons, by path.
        """
        return {path: why for (digest, path), why in self._given_up.items() if digest == revision.digest}

    async def _run(self) -> None:
        while self._wanted:
            name = next(iter(self._wanted))
            del self._wanted[name]
            revision = self._current(name)
            if revision is None:
                self._progress.pop(name, None)
                continue
            self._at_work = (name, revision.digest)
            self._work = asyncio.create_task(self._complete(revision))
            try:
                await asyncio.wait({self._work})
                if not self._work.cancelled() and (error := self._work.exception()) is not None:
                    _log.error("the artifacts of %s cannot be completed: %s", name, error, exc_info=error)
            finally:
                self._work.cancel()
                await to_the_end(_ended(self._work))
                self._work = self._at_work = None
                if name not in self._wanted:  # else another revision of it has its turn, and that is told
                    self._progress.pop(name, None)

    async def _complete(self, revision: Revision) -> None:
        total = len(capability.available(revision.artifacts))
        while lacking := await self._lacking(revision):
            if not self._is_current(revision):
                return
            entry = lacking[0]
            await self._calm()
            since = timestamps.now()
            told = Finishing(total - len(lacking), total, f"{entry.model} {entry.target}", since)
            self._progress[revision.name] = (revision.digest, told)
            try:
                found = await self._installation.complete(revision, entry, lambda: self._is_current(revision))
            except Exception as error:  # a full disk, a folder that was deleted meanwhile
                _log.warning("%s %s of %s is not finished: %s", entry.model, entry.target, revision.name, error)
                self._give_up(revision, entry, str(error) or type(error).__name__)
                continue
            if found is None:
                self._give_up(revision, entry, "it has left no proof")
            else:
                await self._done(revision, entry, found)
            if self._wanted:  # in turns: the artifacts of another function may each take half an hour
                self._wanted.pop(revision.name, None)  # it may have been asked for again meanwhile
                self._wanted[revision.name] = None
                return

    async def _calm(self) -> None:
        """Wait until no request waits for an instance, but no longer than CALM_S."""
        for _ in range(round(CALM_S / _LOOK_S)):
            if not self._busy():
                return
            await asyncio.sleep(_LOOK_S)

    def _give_up(self, revision: Revision, entry: ArtifactEntry, why: str) -> None:
        if not self._is_current(revision):
            return  # it is tried again when somebody rolls back to it
        self._given_up[revision.digest, entry.path] = f"{why}; tried again when the box starts, or at a deployment"

    async def _lacking(self, revision: Revision) -> list[ArtifactEntry]:
        found = await in_thread(self._installation.lacking, revision)
        return [entry for entry in found if (revision.digest, entry.path) not in self._given_up]

    def _is_current(self, revision: Revision) -> bool:
        current = self._current(revision.name)
        return current is not None and current.digest == revision.digest


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait({task})
