"""Files of deployed functions made whole again: at the start, and where one is missing when it is needed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from edgefn_runtime.deployment.catalogue import Catalogue
from edgefn_runtime.deployment.chains import ArtifactChains
from edgefn_runtime.deployment.garbage import Garbage
from edgefn_runtime.deployment.gc_lock import GcLock
from edgefn_runtime.deployment.installation import Installation
from edgefn_runtime.host import Host
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.store.uncancellable import in_thread

_log = logging.getLogger("edgefn.deployment")


class Repair:
    """Repairs the files of deployed functions. `fail` marks a function as one that cannot be served."""

    def __init__(
        self,
        catalogue: Catalogue,
        installation: Installation,
        chains: ArtifactChains,
        garbage: Garbage,
        gate: GcLock,
        host: Host,
        *,
        fail: Callable[[str, Exception], Awaitable[None]],
        spawn: Callable[..., Any],
    ) -> None:
        self._catalogue, self._installation, self._chains = catalogue, installation, chains
        self._garbage, self._gate, self._host = garbage, gate, host
        self._fail, self._spawn = fail, spawn

    async def run(self, revisions: list[Revision], leftovers: list[Path]) -> None:
        """Repair the `revisions` that serve, one after the other; then remove the `leftovers` and collect garbage."""
        await self._chains.look_for_changes()
        for revision in revisions:
            try:
                await self._inspect(revision)
                await self.ensure_finished(revision)
            except Exception as error:
                await self._fail(revision.name, error)
            else:
                await self._chains.look(revision.name)
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
            _log.warning("unpacked bundles cannot be compared with what was unpacked: %s", error)
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

    async def ensure_finished(self, revision: Revision) -> None:
        """Ensure that every file of `revision` is on the disk; repair those that are missing.

        This costs a few stats where nothing is missing. Raises BundleError, DeploymentRefused, DiskFull.
        """
        if not self._installation.ready(revision):
            async with self._gate.installing():
                await self._installation.ensure(revision)
            await self._refresh(revision)
            self._spawn(self._chains.look(revision.name))
