"""A box for the gateway to stand before: real logs and metrics, made-up deployments and processes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp

from edgefn.bundle.config import ArtifactEntry, BundleConfig
from edgefn.errors import BundleError, FunctionNotFound
from edgefn.spec import FunctionSpec
from edgefn_runtime.access.doors import Doors
from edgefn_runtime.access.tokens import Tokens
from edgefn_runtime.deployment.checks import permissions
from edgefn_runtime.deployment.checks.permissions import Permission
from edgefn_runtime.gateway.app import site
from edgefn_runtime.gateway.invoke.connection import Connection, bounded
from edgefn_runtime.gateway.invoke.invocation import Invocation
from edgefn_runtime.store.database import Grant
from edgefn_runtime.store.disk import OsDisk
from edgefn_runtime.store.sealing import KeyFile
from edgefn_runtime.store.tokens import TokenRow
from edgefn_runtime.store.vault import Vault
from edgefn_runtime.telemetry.audit import AuditLog
from edgefn_runtime.telemetry.logs import FunctionLogs
from edgefn_runtime.telemetry.metrics import Metrics
from tests.runtime.gateway.listener import SOURCE, Client, Run, listening
from tests.runtime.pool.bench import Bench

TOKEN = "a-token-of-a-box"
DIGEST = "sha256:" + "a" * 64
DEADLINE_S = 10.0


@dataclass(frozen=True)
class FakeRevision:
    """What the store would have."""

    config: BundleConfig
    finished: Path
    number: int = 1
    digest: str = DIGEST
    deployed_at: str = "2026-03-01T12:00:00Z"


class FakeChains:
    """Artifacts of which nothing is known."""

    def of(self, name: str) -> None: ...

    def explain(self, name: str, cores: float) -> dict[str, Any]:
        return {"function": name, "artifacts": [], "advice": [{"rule": "threads", "text": f"{cores:g} cores"}]}


@dataclass
class FakeDeployments:
    """Revisions in memory. `script` is what `deploy` does: events, floats to sleep, and an error at the end."""

    revisions: dict[str, list[FakeRevision]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    script: list[dict[str, Any] | float | Exception] = field(default_factory=list)
    ingest_error: Exception | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    granted: list[Grant] = field(default_factory=list)

    def names(self) -> list[str]:
        return sorted(self.revisions)

    def missing(self, digests: Sequence[str]) -> list[str]:
        return [digest for digest in digests if digest not in self.blobs]

    async def ingest(self, digest: str, size: int, chunks: AsyncIterator[bytes]) -> None:
        if self.ingest_error:
            raise self.ingest_error
        body = b"".join([chunk async for chunk in chunks])
        if len(body) != size:
            raise BundleError(f"{digest} came with {len(body)} bytes, not {size}")
        self.blobs[digest] = body

    async def deploy(self, name: str, manifest: str) -> AsyncIterator[dict[str, Any]]:
        try:
            for act in self.script:
                if isinstance(act, Exception):
                    raise act
                if isinstance(act, dict):
                    yield act
                else:
                    await asyncio.sleep(act)
        finally:
            await asyncio.sleep(0)  # a clean-up that waits, as the real one does, must come to its end
            self.closed.set()

    async def rollback(self, name: str, number: int | None = None) -> FakeRevision:
        history = self.revisions[name]
        history.append(history[-2] if number is None else history[number - 1])
        return history[-1]

    async def remove(self, name: str) -> None:
        del self.revisions[name]

    def current(self, name: str) -> FakeRevision | None:
        return self.revisions[name][-1] if name in self.revisions else None

    @property
    def chains(self) -> FakeChains:
        return FakeChains()

    def grants(self, name: str = "") -> list[Grant]:
        return [grant for grant in self.granted if name in ("", grant.function)]

    def asked(self, name: str) -> list[Permission]:
        return permissions.asked(self.revisions[name][-1].config.function) if name in self.revisions else []

    async def allow(self, name: str, permission: Permission, by: str) -> None:
        self.granted.append(Grant(name, permission.kind, permission.value, "2026-03-01T12:00:00Z", by))

    async def revoke(self, name: str, permission: Permission) -> None:
        self.granted = [one for one in self.granted if one[:3] != (name, permission.kind, permission.value)]

    def specs(self) -> list[tuple[FunctionSpec, int, str]]:
        found = [self.revisions[name][-1] for name in self.names()]
        return [(one.config.function, one.number, one.digest) for one in found]

    def history(self, name: str) -> list[FakeRevision]:
        return self.revisions[name][::-1]


@dataclass
class FakeSupervisor:
    """Statuses in memory; nothing here starts anything."""

    running: dict[str, dict[str, Any]] = field(default_factory=dict)

    def names(self) -> list[str]:
        return list(self.running)

    def find(self, name: str) -> None:
        """No pool: a call of a function gets 404."""

    def failed(self, name: str) -> str:
        return ""

    def status(self, name: str) -> dict[str, Any]:
        if name not in self.running:
            raise FunctionNotFound(f"no function {name!r}")
        return {"name": name, **self.running[name]}

    def statuses(self) -> list[dict[str, Any]]:
        return [self.status(name) for name in self.running]

    async def stop_function(self, name: str) -> None:
        self.running[name] = {"state": "idle"}


@dataclass
class FakeRows:
    """Named tokens in memory, and what the home's own token became."""

    kept: dict[str, TokenRow] = field(default_factory=dict)
    first: str = ""

    def all(self) -> list[TokenRow]:
        return list(self.kept.values())

    def put(self, row: TokenRow) -> None:
        self.kept[row.name] = row

    def delete(self, name: str) -> None:
        del self.kept[name]

    def keep_first(self, value: str) -> None:
        self.first = value


class FakeBox:
    """As AdminBox wants it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.deployments = FakeDeployments()
        self.supervisor = FakeSupervisor()
        self.logs = FunctionLogs(folder)
        self.audit = AuditLog(folder)
        self.vault = Vault(OsDisk(), folder / "secrets", [KeyFile(OsDisk(), folder / "keys" / "secrets.key")])
        self.metrics = Metrics(self.supervisor.statuses)
        self.rows = FakeRows()
        self.doors = Doors(Tokens(TOKEN, self.rows, self.rows.keep_first), self.metrics, self.audit)
        self.reason = ""

    def info(self) -> dict[str, Any]:
        return {"name": "test", "version": "0.1.0"}

    def unready(self) -> str:
        return self.reason

    def have(self, spec: FunctionSpec, *, artifacts: Sequence[ArtifactEntry] = (), state: str = "idle") -> None:
        """`spec` is deployed, in two revisions."""
        config = BundleConfig(function=spec, artifacts=tuple(artifacts))
        self.deployments.revisions[spec.name] = [
            FakeRevision(config, self.folder, number, "sha256:" + str(number) * 64) for number in (1, 2)
        ]
        self.supervisor.running[spec.name] = {"state": state}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[FakeBox]:
    """A box with one function, `echo`, that nobody has called yet."""
    made = FakeBox(tmp_path)
    made.have(FunctionSpec("echo", "echo:echo"))
    yield made
    made.logs.close()


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(box: FakeBox) -> Ask:
    """Sends one request to the box's site, with the token unless `headers` says otherwise."""

    def asked(method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(site(box))
            async with httpx.AsyncClient(transport=transport, base_url="http://box") as client:
                async with asyncio.timeout(DEADLINE_S):
                    return await client.request(method, path, **options)

        options.setdefault("headers", {"authorization": f"Bearer {TOKEN}"})
        return asyncio.run(send())

    return asked


@contextlib.asynccontextmanager
async def _serving(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    http = bounded(Connection, 30.0)
    config = uvicorn.Config(app, port=0, http=http, lifespan="off", ws="none", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    try:
        deadline = asyncio.get_running_loop().time() + DEADLINE_S
        while not server.started:
            assert asyncio.get_running_loop().time() < deadline, "the server does not start"
            await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
            yield client
    finally:
        server.should_exit = True
        async with asyncio.timeout(DEADLINE_S):
            await serving


Serving = Callable[[ASGIApp], contextlib.AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def serving() -> Serving:
    """Serves an app, by the box's own connections, on a loopback port, and gives a client that knows the token."""
    return _serving


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a test's coroutine with `f` deployed and the port that its connections come to."""

    def run(test: Client) -> None:
        async def main() -> None:
            bench = Bench(tmp_path)
            bench.supervisor.start()
            try:
                await bench.deploy(SOURCE, scale=(0, 1), timeout_s=10.0, max_body_bytes=400_000)
                async with listening(Invocation(bench)) as port:
                    await asyncio.wait_for(test(bench, port), 60)
            finally:
                await bench.supervisor.stop()

        asyncio.run(main())

    return run
