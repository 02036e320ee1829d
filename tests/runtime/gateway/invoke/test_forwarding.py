"""Links lead through the proxy that the client came by."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from edgefn_runtime.gateway.app import application, site
from edgefn_runtime.gateway.invoke.forwarding import Forwarding

if TYPE_CHECKING:
    from tests.runtime.gateway.conftest import FakeBox

PROXY, STRANGER = "10.0.0.7", "192.0.2.9"
TRUSTING = Forwarding(trusted=("10.0.0.0/8",))
TOLD = {"x-forwarded-prefix": "/edge", "x-forwarded-proto": "https", "x-forwarded-host": "example.org"}


def get(box: FakeBox, forwarding: Forwarding, path: str, peer: str, **headers: str) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(site(box, forwarding), client=(peer, 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://box:8080") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(send())


def test_a_trusted_proxy_tells_where_the_box_is(box: FakeBox) -> None:
    """Links and redirects have the proxy's prefix, servers its scheme and host as well."""
    root = get(box, TRUSTING, "/", PROXY, **TOLD)
    assert root.json()["links"]["openapi"] == "/edge/openapi.json"
    assert "X-Forwarded-Prefix" in root.headers["vary"]
    assert get(box, TRUSTING, "/openapi.json", PROXY, **TOLD).json()["servers"] == [{"url": "https://example.org/edge"}]
    moved = get(box, TRUSTING, "/healthz/", PROXY, **TOLD)
    assert (moved.status_code, moved.headers["location"]) == (307, "/edge/healthz")


def test_nobody_else_does(box: FakeBox) -> None:
    """From another address the headers are as if they were not there."""
    root = get(box, TRUSTING, "/", STRANGER, **TOLD)
    assert root.json()["links"]["openapi"] == "/openapi.json"
    assert get(box, TRUSTING, "/openapi.json", STRANGER, **TOLD).json()["servers"] == [{"url": "http://box:8080"}]
    assert get(box, Forwarding(), "/healthz/", PROXY, **TOLD).headers["location"] == "/healthz"


def test_the_root_path_is_the_prefix_where_no_proxy_names_one(box: FakeBox) -> None:
    """--root-path for all; a trusted X-Forwarded-Prefix goes before it."""
    rooted = Forwarding("/fixed", ["10.0.0.0/8"])
    assert get(box, rooted, "/", STRANGER).json()["links"]["functions"] == "/fixed/fn"
    assert get(box, rooted, "/", PROXY, **TOLD).json()["links"]["functions"] == "/edge/fn"


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"x-forwarded-prefix": "/a, /b/"}, "http://box:8080/b"),
        ({"x-forwarded-prefix": "/"}, "http://box:8080"),
        ({"x-forwarded-prefix": "//evil.example"}, "http://box:8080"),
        ({"x-forwarded-prefix": "/a/../b"}, "http://box:8080"),
        ({"x-forwarded-prefix": "no-slash"}, "http://box:8080"),
        ({"x-forwarded-prefix": '/"><script>'}, "http://box:8080"),
        ({"x-forwarded-proto": "javascript"}, "http://box:8080"),
        ({"x-forwarded-proto": "HTTPS"}, "https://box:8080"),
        ({"x-forwarded-host": "evil.example/path"}, "http://box:8080"),
        ({"x-forwarded-host": "[::1]:81"}, "http://[::1]:81"),
    ],
)
def test_what_no_link_can_hold_is_left_out(headers: dict[str, Any], url: str) -> None:
    """The nearest proxy's word counts; a header that is none is as if it were not there."""
    assert TRUSTING.url({"host": "box:8080"} | headers, PROXY, "box:8080") == url


def test_a_functions_moved_path_leads_through_the_proxy(box: FakeBox) -> None:
    """The redirect of a slash too many as well."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(application(box, forwarding=TRUSTING), client=(PROXY, 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://box:8080") as client:
            return await client.post("/fn/echo/?n=1", headers=TOLD)

    moved = asyncio.run(send())
    assert (moved.status_code, moved.headers["location"]) == (308, "/edge/fn/echo?n=1")


@pytest.mark.parametrize("peer", ["", "testclient", "::ffff:192.0.2.9", "fe80::1%eth0"])
def test_an_address_that_is_not_trusted(peer: str) -> None:
    """A socket without address, a name, and addresses outside of the networks."""
    assert TRUSTING.prefix(TOLD, peer) == ""


def test_a_trusted_address_in_ipv6_clothes() -> None:
    """A socket that listens on :: sees IPv4 peers so."""
    assert TRUSTING.prefix(TOLD, "::ffff:10.0.0.7") == "/edge"


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("attacker, 203.0.113.9, 10.0.0.8", "203.0.113.9"),
        ("socket", ""),
        ("203.0.113.9, owner", ""),
        ("203.0.113.9, unknown, 10.0.0.8", ""),
        ("203.0.113.9 result: ok", ""),
        ("fe80::1%" + "x" * 900, ""),
        ("", ""),
    ],
)
def test_a_client_is_an_address_or_nobody(told: str, client: str) -> None:
    """It stands in the audit log as where a request came from, where `socket` is the owner's."""
    assert TRUSTING.client(told, PROXY) == client
