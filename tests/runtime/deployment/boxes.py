"""A box without processes: the real store and deployment road, a host that only remembers, a finisher in memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgefn.bundle.oci.manifest import parse_config
from edgefn_runtime.artifacts import inputs, proof
from edgefn_runtime.artifacts.finishing import Finisher
from edgefn_runtime.artifacts.order import FinishOrder
from edgefn_runtime.artifacts.proof import Proof
from edgefn_runtime.deployment.checks.maxima import Maxima
from edgefn_runtime.deployment.deployments import Deployments
from edgefn_runtime.deployment.locks import ChangeLocks
from edgefn_runtime.progress import DeploymentProgress
from edgefn_runtime.store.blobs import Blobs
from edgefn_runtime.store.database import Database
from edgefn_runtime.store.disk import Disk, OsDisk
from edgefn_runtime.store.home import Home
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.telemetry.audit import AuditLog
from edgefn_runtime.wire.messages import FinishRequest
from tests.e2e.deadline import PATIENCE
from tests.runtime.deployment.bundles import SmallBundle

DEADLINE_S = 10.0 * PATIENCE


class MemoryHost:
    """Remembers what it would serve. Like the real one it needs the files to be there."""

    def __init__(self) -> None:
        self.serving: dict[str, Revision] = {}
        self.prepared: set[str] = set()
        self.failed: dict[str, str] = {}
        self.calls: list[str] = []
        self.lines: list[str] = []
        self.refuse: dict[str, Exception] = {}
        self.lacking: list[str] = []
        self.unfit: Exception | None = None
        self.refuse_switch: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.waiting = self.asked = self.at_once = self.most_at_once = 0
        self.replies: dict[tuple[str, ...], bytes | Exception] = {}

    async def isolated(self) -> list[str]:
        """Everything is enforced, but for what a test says."""
        if self.unfit is not None:
            raise self.unfit
        return self.lacking

    async def prepare(self, revision: Revision) -> None:
        self.calls.append("prepare")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.hold is not None:
                await self.hold.wait()
            await asyncio.sleep(0)
        finally:
            self.at_once -= 1
        if error := self.refuse.get(revision.digest):
            raise error
        assert (revision.folder / "code").is_dir()
        for entry in revision.config.artifacts:
            assert proof.read(revision.finished, entry) is not None
        self.prepared.add(revision.digest)

    async def switch(self, name: str, revision: Revision) -> None:
        self.calls.append("switch")
        if self.refuse_switch is not None:
            error, self.refuse_switch = self.refuse_switch, None
            raise error
        self.prepared.discard(revision.digest)
        self.failed.pop(name, None)
        self.serving[name] = revision

    async def move(self, name: str, revision: Revision) -> None:
        self.serving[name] = revision

    async def ask(self, revision: Revision, questions: Sequence[bytes]) -> list[bytes]:
        """Replies that the test has put into `replies` by what is served, else that every answer matches."""
        self.calls.append("ask")
        reply = self.replies.get(revision.served, msgspec.msgpack.encode(None))
        if isinstance(reply, Exception):
            raise reply
        return [reply for _ in questions]

    def busy(self) -> bool:
        self.asked += 1
        return self.waiting > 0

    def note(self, name: str, line: str) -> None:
        self.lines.append(f"{name} {line}")

    async def discard(self, revision: Revision) -> None:
        self.calls.append("discard")
        self.prepared.discard(revision.digest)

    async def finish(self, request: FinishRequest, limit_s: float) -> bytes:
        raise AssertionError("a box without processes finishes in memory")

    async def restart(self, name: str) -> None:
        self.calls.append("restart")

    async def remove(self, name: str) -> None:
        self.calls.append("remove")
        self.serving.pop(name, None)

    async def fail(self, name: str, reason: str) -> None:
        self.failed[name] = reason


async def finish_in_memory(order: FinishOrder, progress: DeploymentProgress) -> None:
    """A `Finisher` that believes every artifact: one for a special target takes half as long as the one before."""
    config = parse_config((order.bundle / "config.json").read_bytes())
    for done, entry in enumerate(config.artifacts):
        if entry.path not in order.artifacts:
            continue
        progress("finish", done, len(config.artifacts), entry.target)
        place = order.folder / entry.path
        place.mkdir(parents=True)
        (place / "finished.onnx").write_bytes(b"finished")
        found = Proof(
            *(entry.model, entry.target, entry.backend, True, 0.0, 1.0),
            run_s=0.5**done,
            beside_s=1.0 if done else 0.0,
            files={"finished.onnx": 8},
            inputs=inputs.read(order.bundle).get(entry.path, ""),
        )
        proof.write(place, found)


class StoreBox:
    """An open home with its deployments and a MemoryHost."""

    def __init__(
        self,
        path: Path,
        disk: Disk | None = None,
        finisher: Finisher | None = finish_in_memory,
        turns: ChangeLocks | None = None,
        host: MemoryHost | None = None,
        maxima: Maxima | None = None,
        *,
        grants: Iterable[str] = (),
        development: bool = False,
    ) -> None:
        disk = disk or OsDisk()
        self.home = Home(path, disk)
        self.host = host or MemoryHost()
        self.blobs = Blobs(self.home.blobs, disk)
        self.database = Database(self.home.database, disk)
        self.audit = AuditLog(self.home.logs)
        self.deployments = Deployments(
            self.home,
            self.blobs,
            self.database,
            self.host,
            finisher=finisher,
            turns=turns,
            audit=self.audit,
            grants=grants,
            development=development,
            maxima=maxima,
        )

    def audited(self, *members: str) -> list[tuple[str, ...]]:
        """Those members of each record of the audit log."""
        records = [json.loads(line) for line in self.audit.tail(1000)]
        return [tuple(record.get(member, "") for member in members) for record in records]

    async def upload(self, bundle: SmallBundle) -> None:
        for digest in self.deployments.missing(bundle.blobs):
            await self.deployments.ingest(digest, len(bundle.blobs[digest]), chunks(bundle.blobs[digest]))

    async def deploy(self, bundle: SmallBundle, name: str = "") -> dict[str, Any]:
        """The last event of uploading and deploying `bundle`."""
        await self.upload(bundle)
        events = self.deployments.deploy(name or bundle.config.function.name, bundle.digest)
        return [event async for event in events][-1]

    def current(self, name: str) -> str | None:
        """The digest that is routed; it is the one that the host serves."""
        revision = self.deployments.current(name)
        served = self.host.serving.get(name)
        assert (revision and revision.digest) == (served and served.digest)
        return revision.digest if revision else None

    def temporaries(self) -> list[Path]:
        return [path for path in self.home.path.rglob("*.tmp") if path.exists()]

    async def close(self) -> None:
        await self.deployments.close()
        self.home.close()


@contextlib.asynccontextmanager
async def opened(
    path: Path,
    *,
    disk: Disk | None = None,
    finisher: Finisher = finish_in_memory,
    turns: ChangeLocks | None = None,
    grants: Iterable[str] = (),
    development: bool = False,
    maxima: Maxima | None = None,
) -> AsyncIterator[StoreBox]:
    """The box at `path`, restored and with its repairs done, closed at the end."""
    box = StoreBox(path, disk or OsDisk(), finisher, turns, grants=grants, development=development, maxima=maxima)
    try:
        await box.deployments.restore()
        await box.deployments.settled()
        yield box
    finally:
        await box.close()


async def chunks(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def until(condition: Callable[[], object], what: str) -> None:
    """`condition` is true. Fails naming `what` after a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        await asyncio.sleep(0.005)
