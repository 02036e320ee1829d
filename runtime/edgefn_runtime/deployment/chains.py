"""Each function's artifacts after it is deployed: which serve, what takes over, what is still to be finished.

Changes no deployment: it moves a function between the artifacts of the bundle that it has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from edgefn.api.explanations import Explanation
from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import EdgefnError, Unavailable
from edgefn.spec import FunctionSpec
from edgefn_runtime import timestamps
from edgefn_runtime.artifacts import capability, changes, proof, ranking
from edgefn_runtime.artifacts.artifact_status import Chain
from edgefn_runtime.artifacts.changes import Known, later
from edgefn_runtime.artifacts.explanation import explain
from edgefn_runtime.artifacts.proof import Proof
from edgefn_runtime.artifacts.quarantine import Quarantine
from edgefn_runtime.deployment import answers
from edgefn_runtime.deployment.background import Background
from edgefn_runtime.deployment.catalogue import Catalogue
from edgefn_runtime.deployment.installation import Installation
from edgefn_runtime.fingerprint import facts
from edgefn_runtime.host import Host
from edgefn_runtime.store.home import Home
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.store.uncancellable import in_thread

_log = logging.getLogger("edgefn.deployment")


class ArtifactChains:
    """The artifacts of the functions in `home`, by function: the one that serves, and those behind it.

    `is_changing` tells whether a change of a function runs, at whose end the best artifacts are chosen; `spawn` runs a
    task that ends with the box.
    """

    def __init__(
        self,
        home: Home,
        catalogue: Catalogue,
        installation: Installation,
        quarantine: Quarantine,
        host: Host,
        *,
        is_changing: Callable[[str], bool],
        spawn: Callable[..., asyncio.Task[Any]],
        threads: Callable[[FunctionSpec], int],
    ) -> None:
        self._home, self._catalogue, self._installation = home, catalogue, installation
        self._quarantine, self._host = quarantine, host
        self._is_changing, self._spawn, self._threads = is_changing, spawn, threads
        self._background = Background(installation, catalogue.current, self._finished, spawn, host.busy)
        self._known = Known({})

    # ── what there is ─────────────────────────────────────────────────────────────────────────────────

    def of(self, name: str) -> Chain | None:
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
            broken=self._quarantine.of(revision.finished),
            unfinished=self._background.given_up(revision),
            refusals=capability.refusals(revision.artifacts),
            finishing=self._background.progress(revision),
            changed=f"the box has changed: {self._known.change}" if since else "",
        )

    def explain(self, name: str, cores: float) -> Explanation | None:
        """Explain why `name` is served as it is, and what would make it faster on `cores` cores.

        Returns None when it is not deployed.
        """
        found = self.of(name)
        return None if found is None else explain(found, cores, self._threads)

    # ── what becomes of it ────────────────────────────────────────────────────────────────────────────

    async def look_for_changes(self) -> None:
        """Compare the machine with that of the last start; log a change, after which artifacts are finished again."""
        now = timestamps.now("microseconds")
        here = msgspec.to_builtins(facts())
        try:
            self._known = await in_thread(changes.look, self._home.disk, self._home.finished, here, now)
        except OSError as error:
            _log.warning("could not store the fingerprint of this machine: %s", error)
        if self._known.change and self._known.at == now:
            _log.warning("the box has changed (%s): finishing artifacts again", self._known.change)

    async def look(self, name: str, *, again: bool = False) -> int:
        """Schedule the artifacts that `name` lacks; return their number. See `Background.look`."""
        return await self._background.look(name, again=again)

    async def fall_back(self, revision: Revision, artifact: str, reason: str) -> Revision | None:
        """Return `revision` with the next artifacts in the ranking in place of `artifact`, which broke.

        Returns None where there is no other. The artifact is not chosen again before a redeployment, or on another
        machine or library.
        """
        entry = next((one for one in revision.artifacts if one.path == artifact), None)
        if entry is None or ranking.portable(entry):
            return None
        if await in_thread(proof.read, revision.finished, entry) is not None:  # else it is gone, and is finished again
            self._quarantine.add(revision.finished, artifact, reason)
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
        capability.look_again()
        return self._catalogue.again(revision)

    async def _keep_marks(self, revision: Revision) -> None:
        try:
            await in_thread(self._quarantine.keep, revision.finished)
        except OSError as error:
            _log.warning("could not store the broken-artifact mark of %s: %s", revision.name, error)

    async def follow(self, name: str) -> None:
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
        if current is None or current.digest != revision.digest or self._is_changing(revision.name):
            return  # who changes the function looks for the best artifacts at the end
        try:
            await self._host.move(revision.name, current)
        except Unavailable:  # somebody stopped the function meanwhile: the next start is of the best ones
            await self._host.switch(revision.name, current)
        except EdgefnError as error:
            _log.warning("could not move %s to its best artifacts: %s", revision.name, error)


def _told(found: Proof, *, serves: bool) -> str:
    if not found.passed:
        return f"not served, {found.reason}"
    error = found.reason if found.error is None else f"error {found.error:.1e}"
    figures = f"{error}, {found.ratio:.2f} × the latency of the portable one"
    return f"{figures}, {'it serves now' if serves else 'not the fastest'}"
