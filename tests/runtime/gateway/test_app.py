"""The one ASGI application: calls on the short way, all else through the site."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from edgefn_runtime.gateway.app import application

if TYPE_CHECKING:
    import httpx

    from tests.runtime.gateway.conftest import FakeBox, Serving


@pytest.mark.parametrize(
    ("path", "status"),
    [("/fn/nothing", 404), ("/fn", 200), ("/fn/", 307), ("/healthz", 200), ("/admin/box", 200), ("/nothing", 404)],
)
def test_a_path_finds_its_side(box: FakeBox, serving: Serving, path: str, status: int) -> None:
    """Calls and pages are answered over one socket; what is not there is a problem on either side."""

    async def scenario() -> httpx.Response:
        async with serving(application(box)) as client:
            return await client.get(path)

    answer = asyncio.run(scenario())
    assert answer.status_code == status
    if status == 404:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == 404


@pytest.mark.parametrize("path", ["/fn/nothing/", "//fn/nothing", "/fn//nothing//", "/fn/%6eothing", "/fn%2Fnothing"])
def test_a_slash_too_many_is_moved(box: FakeBox, serving: Serving, path: str) -> None:
    """308 to the clean path, the query along: the method and the body stay (RFC 9110, 15.4.9)."""

    async def scenario() -> httpx.Response:
        async with serving(application(box)) as client:
            return await client.post(f"{str(client.base_url).rstrip('/')}{path}?a=%20b", content=b"x")

    answer = asyncio.run(scenario())
    assert (answer.status_code, answer.headers["location"]) == (308, "/fn/nothing?a=%20b")


ESCAPED = ["/%61dmin/box", "/admin%2fbox", "/admin/%62ox", "/admin/functions/echo%2Flogs", "/%6detrics", "/healthz%2f"]


@pytest.mark.parametrize("path", ESCAPED)
def test_a_page_answers_at_its_plain_path_only(box: FakeBox, serving: Serving, path: str) -> None:
    """What a proxy keeps from its clients by path is not reached by another spelling of it."""

    async def scenario() -> httpx.Response:
        async with serving(application(box)) as client:
            digest = await client.put(f"/admin/blobs/sha256%3A{'a' * 64}", content=b"x")
            assert digest.status_code == 201, "an escape that some clients make of a colon"
            return await client.get(f"{str(client.base_url).rstrip('/')}{path}")

    answer = asyncio.run(scenario())
    assert (answer.status_code, "escapes" in answer.json()["detail"]) == (404, True)
