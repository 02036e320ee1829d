"""Answers that take a while, over a real server: signs of life, and an end when the client goes."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from edgefn.api.deployments import AliveEvent, StepEvent
from edgefn.errors import BundleError, DiskFull
from edgefn_runtime.gateway.api import admin
from edgefn_runtime.gateway.api.streaming import with_heartbeats
from edgefn_runtime.gateway.app import site
from edgefn_runtime.gateway.invoke import outgoing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.runtime.gateway.conftest import FakeBox, Serving

A = "sha256:" + "a" * 64
DEADLINE_S = 10.0
DEPLOY = "/admin/functions/echo/deploy"
STEP = StepEvent("verify", 0, 1)


def put_head(authorization: str, length: int) -> bytes:
    return (
        f"PUT /admin/blobs/{A} HTTP/1.1\r\nhost: box\r\ncontent-length: {length}\r\n"
        f"authorization: {authorization}\r\n\r\n"
    ).encode()


def test_each_event_is_sent_at_once(box: FakeBox, serving: Serving) -> None:
    """The client has a step while the next one runs."""

    async def scenario() -> None:
        box.deployments.script = [STEP, 60.0]
        async with (
            serving(site(box)) as client,
            client.stream("POST", DEPLOY, json={"manifest": A}) as answer,
        ):
            lines = answer.aiter_lines()
            async with asyncio.timeout(DEADLINE_S):
                assert msgspec.json.decode(await anext(lines), type=StepEvent) == STEP
            await lines.aclose()  # type: ignore[attr-defined]

    asyncio.run(scenario())


def test_a_slow_step_shows_life(box: FakeBox, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """`alive` comes while nothing else does, before the first event too; an error is then the last line."""
    monkeypatch.setattr(admin, "ALIVE_S", 0.02)

    async def scenario() -> None:
        box.deployments.script = [0.1, STEP, 0.1, BundleError("corrupt")]
        async with serving(site(box)) as client:
            answer = await client.post(DEPLOY, json={"manifest": A})
        events = [json.loads(line)["event"] for line in answer.text.splitlines()]
        assert events[0] == "alive"
        assert events[-2:] == ["alive", "error"]
        assert events.count("step") == 1

    asyncio.run(scenario())


def test_a_client_that_goes_away_cancels_its_deployment(box: FakeBox, serving: Serving) -> None:
    """The deployment's own clean-up runs to its end, although nobody reads any more."""

    async def scenario() -> None:
        box.deployments.script = [STEP, 60.0]
        async with serving(site(box)) as client:
            async with client.stream("POST", DEPLOY, json={"manifest": A}) as answer:
                assert answer.status_code == 200
                assert not box.deployments.closed.is_set()
            async with asyncio.timeout(DEADLINE_S):
                await box.deployments.closed.wait()

    asyncio.run(scenario())


def test_logs_are_followed(box: FakeBox, serving: Serving) -> None:
    """What is printed is seen at once, until the box drains; then the answer ends as it should."""

    async def scenario() -> None:
        box.logs.write("echo", "before")
        url = "/admin/functions/echo/logs?follow=true"
        async with serving(site(box)) as client, client.stream("GET", url) as answer:
            lines = answer.aiter_lines()
            async with asyncio.timeout(DEADLINE_S):
                assert (await anext(lines)).endswith(" before")
                box.logs.write("echo", "after")
                assert (await anext(lines)).endswith(" after")
                box.logs.end_followers()
                assert [line async for line in lines] == []

    asyncio.run(scenario())


def test_a_reader_that_goes_away_is_forgotten(box: FakeBox, serving: Serving) -> None:
    """A follower that closed its terminal costs nothing more."""

    async def scenario() -> None:
        box.logs.write("echo", "one")
        followers = box.logs._log("echo").followers
        async with serving(site(box)) as client:
            async with client.stream("GET", "/admin/functions/echo/logs?follow=1") as answer:
                assert answer.status_code == 200
                await _until(lambda: len(followers) == 1, "nobody follows")
            await _until(lambda: not followers, "the follower is still there")

    asyncio.run(scenario())


@pytest.mark.parametrize("change", ["revoke", "rotate"])
@pytest.mark.parametrize("path", ["/admin/functions/echo/logs", "/admin/audit"])
def test_who_follows_sees_nothing_once_the_token_is_gone(
    box: FakeBox, serving: Serving, path: str, change: str
) -> None:
    """The answer ends as it should, with what was there before; nobody follows any more."""

    async def scenario() -> None:
        box.logs.write("echo", "before")
        box.audit.change("before")
        tokens = box.doors.tokens
        _, value = await tokens.create("reader", ["admin"], None)
        headers = {"authorization": f"Bearer {value}"}
        async with (
            serving(site(box)) as client,
            client.stream("GET", f"{path}?follow=true", headers=headers) as answer,
            asyncio.timeout(DEADLINE_S),
        ):
            lines = answer.aiter_lines()
            assert "before" in await anext(lines)
            await getattr(tokens, change)("reader")
            box.logs.write("echo", "after")
            box.audit.change("after")
            assert [line async for line in lines] == []
        assert not box.logs._log("echo").followers
        assert not box.audit._changes.followers

    asyncio.run(scenario())


def test_a_deployment_that_was_let_in_goes_on(box: FakeBox, serving: Serving) -> None:
    """Its request had come whole: to rotate a token of a build server breaks none of its deployments off."""

    async def scenario() -> None:
        _, value = await box.doors.tokens.create("build", ["admin"], None)
        box.deployments.script = [STEP, 0.1, AliveEvent()]
        headers = {"authorization": f"Bearer {value}"}
        async with (
            serving(site(box)) as client,
            client.stream("POST", DEPLOY, json={"manifest": A}, headers=headers) as answer,
        ):
            lines = answer.aiter_lines()
            assert msgspec.json.decode(await anext(lines), type=StepEvent) == STEP
            await box.doors.tokens.rotate("build")
            assert [json.loads(line) async for line in lines] == [{"event": "alive"}]

    asyncio.run(scenario())


@pytest.mark.parametrize("change", ["revoke", "rotate"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/admin/tokens", b'{"name": "back", "scopes": ["admin"]}'),
        ("POST", DEPLOY, b'{"manifest": "' + A.encode() + b'"}'),
        ("PUT", f"/admin/blobs/{A}", b"x" * 100),
        ("PUT", "/admin/secrets/key", b"x" * 100),
    ],
)
def test_a_request_that_comes_slowly_does_not_outlive_its_token(
    box: FakeBox, serving: Serving, method: str, path: str, body: bytes, change: str
) -> None:
    """Its head was let in; by the end of its body the token opens nothing, and nothing is done."""

    async def scenario() -> None:
        tokens = box.doors.tokens
        _, value = await tokens.create("thief", ["admin"], None)
        async with serving(site(box)) as client, asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
            head = f"{method} {path} HTTP/1.1\r\nhost: box\r\ncontent-length: {len(body)}\r\n"
            writer.write(f"{head}authorization: Bearer {value}\r\n\r\n".encode() + body[:-1])
            await _until(lambda: next(t for t in tokens.all() if t.row.name == "thief").uses == 1, "nobody is let in")
            await asyncio.sleep(0.02)
            await getattr(tokens, change)("thief")
            writer.write(body[-1:])
            assert b" 401 " in await reader.readline()
            writer.close()
        assert not box.deployments.blobs
        assert not box.deployments.closed.is_set()
        assert not box.vault.names()
        assert "back" not in box.rows.kept

    asyncio.run(scenario())


def test_a_client_that_sends_on_still_gets_its_refusal(box: FakeBox, serving: Serving) -> None:
    """507 comes before the blob is read; who looks for it only after sending everything finds it too."""

    async def scenario() -> None:
        box.deployments.ingest_error = DiskFull("no room")
        async with serving(site(box)) as client:
            answer = await client.put(f"/admin/blobs/{A}", content=bytes(2**22))
            assert answer.status_code == 507
            assert answer.headers["connection"] == "close"
            assert answer.json()["detail"] == "no room"

    asyncio.run(scenario())


def test_a_client_that_never_stops_sending_is_cut_off(
    box: FakeBox, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is on its way at once, and the connection ends after LONGEST_LINGER_S."""
    monkeypatch.setattr(outgoing, "LINGER_S", 0.1)
    monkeypatch.setattr(outgoing, "LONGEST_LINGER_S", 0.2)

    async def scenario() -> None:
        box.deployments.ingest_error = DiskFull("no room")
        async with serving(site(box)) as client, asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
            writer.write(put_head(client.headers["authorization"], 2**40))
            status = await reader.readline()
            with pytest.raises(ConnectionError):
                await send_for_ever(writer)
            writer.close()
            assert b" 507 " in status

    asyncio.run(scenario())


def test_a_client_that_breaks_off_an_upload_is_no_error(
    box: FakeBox, serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """The store's clean-up runs; nothing is stored and nothing is logged as a fault of the box."""

    async def scenario() -> None:
        async with serving(site(box)) as client:
            _, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
            writer.write(put_head(client.headers["authorization"], 1000) + b"x" * 10)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            assert (await client.get("/healthz")).status_code == 200

    asyncio.run(scenario())
    assert box.deployments.blobs == {}
    assert caplog.text == ""


def test_heartbeats_close_what_they_watch() -> None:
    """Closing in the middle of a wait cancels the wait and lets its clean-up finish."""
    ended: list[str] = []

    async def events() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    async def scenario() -> None:
        watched = with_heartbeats(events(), 0.01)
        assert [await anext(watched) for _ in range(3)] == [1, None, None]
        await watched.aclose()
        assert ended == ["cleaned up"]

    asyncio.run(scenario())


async def send_for_ever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(bytes(2**16))
        await writer.drain()


async def _until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, otherwise
        await asyncio.sleep(0.01)
