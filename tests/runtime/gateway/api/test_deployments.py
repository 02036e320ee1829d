"""The admin API before the real store and the real deployment road; only the processes are made up."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from edgefn.api.boxes import BoxInfo
from edgefn.api.functions import FunctionProcesses
from edgefn.errors import DeploymentRefused, FunctionNotFound
from edgefn_runtime.access.doors import Doors
from edgefn_runtime.access.tokens import Tokens
from edgefn_runtime.gateway.app import site
from edgefn_runtime.store.tokens import TokenTable
from edgefn_runtime.store.vault import Vault
from edgefn_runtime.telemetry.logs import FunctionLogs
from edgefn_runtime.telemetry.metrics import Metrics
from tests.runtime.deployment import bundles
from tests.runtime.deployment.boxes import StoreBox, opened

DEADLINE_S = 20.0


class Supervisor:
    """Statuses of what the store's host was told to serve."""

    def __init__(self, store: StoreBox) -> None:
        self._serving = store.host.serving

    def names(self) -> list[str]:
        return sorted(self._serving)

    def status(self, name: str) -> FunctionProcesses:
        if name not in self._serving:
            raise FunctionNotFound(f"no function {name!r}")
        return FunctionProcesses(name=name, state="idle")

    async def stop_function(self, name: str) -> None:
        self.status(name)


class Box:
    """As AdminBox wants it, over a real home."""

    def __init__(self, store: StoreBox) -> None:
        self.deployments = store.deployments
        self.supervisor = Supervisor(store)
        self.logs = FunctionLogs(store.home.logs)
        self.metrics = Metrics(lambda: [])
        self.audit = store.audit
        self.vault = Vault.of_home(store.home)
        tokens = Tokens(store.home.token, TokenTable(store.database), lambda value: None)
        self.doors = Doors(tokens, self.metrics, self.audit)

    def info(self) -> BoxInfo:
        return BoxInfo(name="test")

    def unready(self) -> str:
        return ""


@contextlib.asynccontextmanager
async def client_of(store: StoreBox) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {store.home.token}"}
    transport = httpx.ASGITransport(site(Box(store)))
    async with (
        asyncio.timeout(DEADLINE_S),
        httpx.AsyncClient(transport=transport, base_url="http://box", headers=headers) as client,
    ):
        yield client


async def shipped(client: httpx.AsyncClient, bundle: bundles.SmallBundle) -> list[dict[str, Any]]:
    """The events of uploading what is missing and deploying."""
    asked = await client.post("/admin/blobs/missing", json={"digests": list(bundle.blobs)})
    for digest in asked.json()["missing"]:
        stored = await client.put(f"/admin/blobs/{digest}", content=bundle.blobs[digest])
        assert stored.status_code == 201, stored.text
    name = bundle.config.function.name
    answer = await client.post(f"/admin/functions/{name}/deploy", json={"manifest": bundle.digest})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_bundle_goes_its_way_by_http(tmp_path: Path) -> None:
    """Upload of what is missing, deployment, status with the proof, a second revision, rollback, removal."""

    async def scenario() -> None:
        async with opened(tmp_path / "home") as store, client_of(store) as client:
            first = bundles.with_model(tmp_path, "scale")
            events = await shipped(client, first)
            assert [event["event"] for event in events][-1] == "deployed"
            assert events[-1] == {
                "event": "deployed",
                "function": "scale",
                "revision": first.digest,
                "number": 1,
                "finishing": 0,
            }
            status = (await client.get("/admin/functions/scale")).json()
            assert (status["number"], status["revision"]) == (1, first.digest)
            assert status["artifacts"][0]["passed"]
            second = bundles.with_model(tmp_path, "scale", code="x = 2\n")
            asked = await client.post("/admin/blobs/missing", json={"digests": list(second.blobs)})
            assert 0 < len(asked.json()["missing"]) < len(second.blobs)
            assert (await shipped(client, second))[-1]["number"] == 2
            back = (await client.post("/admin/functions/scale/rollback")).json()
            assert back["revision"] == first.digest
            history = (await client.get("/admin/functions/scale")).json()["history"]
            assert {past["revision"] for past in history} == {first.digest, second.digest}
            assert "/fn/scale" in (await client.get("/openapi.json")).json()["paths"]
            assert (await client.delete("/admin/functions/scale")).status_code == 204
            assert (await client.get("/admin/functions/scale")).status_code == 404

    asyncio.run(scenario())


def test_what_the_road_refuses_is_told_and_changes_nothing(tmp_path: Path) -> None:
    """A blob of another hash is 400, and a handler that does not import is the stream's last line, with its trace."""

    async def scenario() -> None:
        async with opened(tmp_path / "home") as store, client_of(store) as client:
            good = bundles.function(tmp_path, "greet")
            await shipped(client, good)
            bad = bundles.function(tmp_path, "greet", code="x = 3\n")
            digest = next(digest for digest in bad.blobs if digest not in good.blobs)
            wrong = await client.put(f"/admin/blobs/{digest}", content=b"something else")
            assert (wrong.status_code, wrong.json()["error"]) == (400, "BundleError")
            store.host.refuse[bad.digest] = DeploymentRefused("it does not import", trace="Traceback: here")
            refused = (await shipped(client, bad))[-1]
            assert (refused["event"], refused["exit_code"], refused["trace"]) == ("error", 9, "Traceback: here")
            assert (await client.get("/admin/functions/greet")).json()["revision"] == good.digest

    asyncio.run(scenario())
