"""Which requests are let in by whom they name: hosts, web pages, addresses; and that nothing is run for the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, cast

import pytest

from edgefn_runtime.access.doors import TOKEN, Doors
from edgefn_runtime.access.tokens import Tokens
from edgefn_runtime.gateway.invoke import direct
from edgefn_runtime.gateway.invoke.forwarding import Forwarding
from edgefn_runtime.gateway.invoke.invocation import Invocation
from edgefn_runtime.gateway.limits import places
from edgefn_runtime.gateway.limits.bodies import Bodies
from edgefn_runtime.gateway.limits.places import Places
from edgefn_runtime.gateway.origins.hosts import Hosts
from edgefn_runtime.gateway.origins.origins import Origins
from tests.runtime.gateway.conftest import FakeRows
from tests.runtime.gateway.typed import Echo, connected, ended, of_kind, settle, typed

HOSTS = Hosts(["box.example", "*.below.example"])
APP = "https://app.example"


async def status_of(method: str, target: str, *fields: str, peer: str = "203.0.113.7", **members: Any) -> Any:
    """The status of one request's answer, its headers, and what was run for it."""
    pool = Echo()
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *fields, "", ""])
    answers = await typed(connected(pool, peer, **members), [head.encode("latin-1")])
    assert len(answers) == 1
    status, headers, body = answers[0]
    if status >= 400:
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["status"] == status
    return status, headers, len(pool.calls), body.decode()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("192.0.2.9:8080", 200),
        ("[::1]:8080", 200),
        ("[fe80::1]", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("a.localhost", 200),
        ("localhost.", 200),
        ("box.example:80", 200),
        ("a.b.below.example", 200),
        ("below.example", 421),
        ("attacker.example", 421),
        ("localhost.attacker.example", 421),
        ("127.0.0.1.attacker.example", 421),
        ("box.example.attacker.example", 421),
        ("notlocalhost", 421),
        ("0x7f000001", 421),
    ],
)
def test_only_names_of_the_box_are_served(host: str, status: int) -> None:
    """Addresses, loopback names and those of --allow-host; the refusal says how to let a name in, and runs nothing."""

    async def main() -> None:
        found, _, run, told = await status_of("GET", "/fn/f?n=1", f"host: {host}", hosts=HOSTS)
        assert (found, run) == (status, int(status == 200))
        if status == 421:
            assert f"--allow-host {host.partition(':')[0]}" in told

    asyncio.run(main())


def test_a_target_with_a_host_of_its_own_is_held_to_it() -> None:
    """In absolute-form the target's host counts, and not the field (RFC 9112, 3.2.2)."""

    async def main() -> None:
        found = await status_of("GET", "http://attacker.example/fn/f", "host: localhost", hosts=HOSTS)
        assert (found[0], found[2]) == (421, 0)
        found = await status_of("GET", "http://localhost:80/fn/f?n=1", "host: localhost", hosts=HOSTS)
        assert (found[0], found[2]) == (200, 1)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "target", "fields", "status"),
    [
        ("POST", "/fn/f", ["origin: https://attacker.example"], 403),
        ("GET", "/fn/f", ["origin: null"], 403),
        ("GET", "/fn/f", ["origin: http://localhost:3000"], 403),
        ("GET", "/fn/f", ["origin: localhost:8080"], 403),
        ("GET", "/fn/f", ["origin: http://localhost:8080.attacker.example"], 403),
        ("GET", "/fn/f", ["origin: chrome-extension://abcdef"], 403),
        ("GET", "/fn/f?n=1", ["origin: http://localhost:8080"], 200),
        ("GET", "/fn/f?n=1", ["origin: HTTPS://LOCALHOST:8080"], 200),
        ("GET", "/fn/f?n=1", [f"origin: {APP}"], 200),
        ("GET", "/fn/f", ["sec-fetch-site: cross-site", "sec-fetch-mode: no-cors"], 403),
        ("GET", "/fn/f", ["sec-fetch-site: cross-site", "sec-fetch-mode: navigate"], 403),
        ("GET", "/fn/f", ["sec-fetch-site: same-site", "sec-fetch-mode: no-cors"], 403),
        ("POST", "/", ["sec-fetch-site: cross-site", "sec-fetch-mode: navigate"], 403),
        ("GET", "/", ["sec-fetch-site: cross-site", "sec-fetch-mode: navigate"], 404),
        ("GET", "/fn/f?n=1", ["sec-fetch-site: same-origin", "sec-fetch-mode: cors"], 200),
        ("GET", "/fn/f?n=1", ["sec-fetch-site: none", "sec-fetch-mode: navigate"], 200),
        ("GET", "/fn/f?n=1", ["sec-fetch-mode: cors"], 200),
        ("GET", "/fn/f", ["sec-fetch-site: none", "sec-fetch-site: cross-site"], 403),
        ("GET", "/fn/f", ["sec-fetch-site: cross-site "], 403),
        ("GET", "/fn/f", ["sec-fetch-site: of-a-later-browser"], 403),
    ],
)
def test_web_pages_of_others_call_nothing(method: str, target: str, fields: list[str], status: int) -> None:
    """A foreign Origin, an embedded picture, a form that is sent: 403. A link to a page, and the box's own, are served.

    404 is the echo's, which has no pages.
    """

    async def main() -> None:
        head = ["host: localhost:8080", *fields]
        found, _, run, _ = await status_of(method, target, *head, origins=Origins([APP]))
        assert (found, run) == (status, int(status == 200))

    asyncio.run(main())


def test_a_page_behind_the_same_proxy_is_the_boxs_own() -> None:
    """The proxy says what the client asked for; only a trusted one is believed."""
    fields = ["host: 127.0.0.1", "origin: https://edge.example", "x-forwarded-host: edge.example"]

    async def main() -> None:
        forwarding = Forwarding(trusted=["10.0.0.1"])
        for peer, status in (("10.0.0.1", 200), ("10.0.0.2", 403)):
            assert (await status_of("GET", "/fn/f", *fields, peer=peer, forwarding=forwarding))[0] == status

    asyncio.run(main())


@pytest.mark.parametrize(("allowed", "origin", "told"), [([APP], APP, True), (["*"], "https://x.example", True)])
def test_a_page_that_may_call_is_told_so(allowed: list[str], origin: str, told: bool) -> None:
    """Preflight and answer, a refusal too: the origin, what it may send, and what it may read."""
    assert told

    async def main() -> None:
        asked = ["host: localhost", f"origin: {origin}", "access-control-request-method: POST"]
        asked += ["access-control-request-headers: content-type, x-request-timeout"]
        asked += ["access-control-request-private-network: true"]
        status, headers, run, _ = await status_of("OPTIONS", "/fn/f", *asked, origins=Origins(allowed))
        assert (status, run) == (204, 0)
        assert headers["access-control-allow-origin"] == origin
        assert headers["access-control-allow-headers"] == "content-type, x-request-timeout"
        assert headers["access-control-allow-private-network"] == "true"
        assert "POST" in headers["access-control-allow-methods"]
        for target, expected in (("/fn/f?n=1", 200), ("/fn/nobody", 404)):
            fields = ["host: localhost", f"origin: {origin}"]
            status, headers, _, _ = await status_of("GET", target, *fields, origins=Origins(allowed))
            assert (status, headers["access-control-allow-origin"]) == (expected, origin)
            assert {"Server-Timing", "Retry-After"} <= set(headers["access-control-expose-headers"].split(", "))

    asyncio.run(main())


def test_a_preflight_of_nobody_is_no_permission() -> None:
    """Without --allow-origin no answer has a CORS header."""

    async def main() -> None:
        asked = ["host: localhost", "origin: https://attacker.example", "access-control-request-method: POST"]
        for method in ("OPTIONS", "GET", "POST"):
            status, headers, run, _ = await status_of(method, "/fn/f", *asked)
            assert (status, run) == (403, 0)
            assert not [name for name in headers if name.startswith("access-control")]

    asyncio.run(main())


def get(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "host: box", *fields, "", ""]).encode()


def test_one_address_takes_a_part_of_the_places() -> None:
    """Its next connection gets 503 for a function; another address, and a proxy, are served."""

    async def main() -> None:
        limits: dict[str, Any] = {"places": Places(100, 3), "forwarding": Forwarding(trusted=["10.0.0.1"])}
        first = connected(peer="198.51.100.1", **limits)
        others = [of_kind(type(first), "198.51.100.1") for _ in range(2)]
        assert [one[0] for one in await typed(of_kind(type(first), "198.51.100.1"), [get("/fn/f")])] == [503]
        for peer in ("198.51.100.2", "2001:db8::1", "10.0.0.1"):
            assert [one[0] for one in await typed(of_kind(type(first), peer), [get("/fn/f")])] == [200]
        others.pop().connection_lost(None)
        assert [one[0] for one in await typed(of_kind(type(first), "198.51.100.1"), [get("/fn/f")])] == [200]
        for one in (first, *others):
            one.connection_lost(None)
        assert type(first).places.taken == 0

    asyncio.run(main())


def test_clients_of_an_ipv6_network_are_one() -> None:
    """A client has 2^64 addresses; an IPv4 address that came over IPv6 is the same as it is otherwise."""
    assert places.counted_as("2001:db8::1") == places.counted_as("2001:db8::ffff:1") == "2001:db8::/64"
    assert places.counted_as("::ffff:192.0.2.1") == places.counted_as("192.0.2.1") == "192.0.2.1"
    assert places.counted_as("unix") == ""


def test_a_proxys_clients_are_told_apart() -> None:
    """By the last address of X-Forwarded-For that is no proxy's, and while the request lasts."""

    async def main() -> None:
        pool = Echo(slow=True)
        limits: dict[str, Any] = {"places": Places(100, 2), "forwarding": Forwarding(trusted=["10.0.0.0/24"])}
        kind = type(connected(pool, "10.0.0.1", **limits))
        held = []
        for _ in range(2):
            one = of_kind(kind, "10.0.0.1")
            one.data_received(get("/fn/f", "x-forwarded-for: 9.9.9.9, 198.51.100.1, 10.0.0.2"))
            held.append(one)
        same = await typed(of_kind(kind, "10.0.0.1"), [get("/fn/f", "x-forwarded-for: 198.51.100.1:5000")])
        assert [one[0] for one in same] == [503]
        assert not ended(of_kind(kind, "10.0.0.1"))
        other = of_kind(kind, "10.0.0.1")
        other.data_received(get("/fn/f", "x-forwarded-for: 198.51.100.1, 198.51.100.2"))
        assert len(pool.calls) == 3
        pool.answer()
        for _ in range(4):
            await asyncio.sleep(0)
        again = of_kind(kind, "10.0.0.1")
        again.data_received(get("/fn/f", "x-forwarded-for: 198.51.100.1"))
        assert len(pool.calls) == 4

    asyncio.run(main())


def test_a_few_places_are_kept_for_health_and_the_admin_api() -> None:
    """With all taken a function gets 503, health is served, and silent connections do not keep it out."""

    async def main() -> None:
        first = connected(places=Places(1, 1000))
        kind = type(first)
        assert [one[0] for one in await typed(of_kind(kind), [get("/fn/f")])] == [503]
        silent = [of_kind(kind) for _ in range(2 * places.MAX_KEPT)]
        assert len(kind.kept) == kind.places.kept == places.MIN_KEPT
        for path in ("/healthz", "/readyz", "/admin/box"):
            connection = of_kind(kind)
            (answer,) = await typed(connection, [get(path)])
            assert answer[0] == 404, "it came to the application, which is the echo here"
            assert answer[1]["connection"] == "close"
            assert ended(connection)
        first.connection_lost(None)
        (answer,) = await typed(silent[-1], [get("/fn/f")])
        assert answer[0] == 200, "there is a place for it now"

    asyncio.run(main())


def test_an_idle_connection_makes_place_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for its next request since a while ends; the new one is served."""
    from edgefn_runtime.gateway.invoke import connection as module

    monkeypatch.setattr(module, "IDLE_LONG_S", 0.0)

    async def main() -> None:
        idle = connected(places=Places(1, 1000))
        idle.data_received(get("/fn/f"))
        for _ in range(4):
            await asyncio.sleep(0)
        assert [one[0] for one in await typed(of_kind(type(idle)), [get("/fn/f")])] == [200]
        assert idle.transport.is_closing()
        idle.connection_lost(None)
        assert type(idle).places.taken == 0

    asyncio.run(main())


def test_a_websocket_runs_nothing() -> None:
    """However its handshake comes: with the offer, without it as some proxies pass it on, in HTTP/1.0."""

    async def main() -> None:
        key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
        for fields in (
            ["connection: Upgrade", "upgrade: websocket", key, "sec-websocket-version: 13"],
            ["connection: keep-alive, upgrade", "upgrade: WebSocket"],
            ["upgrade: websocket"],
            [key],
        ):
            status, headers, run, _ = await status_of("GET", "/fn/f", "host: box", *fields)
            assert (status, run, headers.get("upgrade")) == (426, 0, "HTTP/1.1"), fields

    asyncio.run(main())


def test_answers_tell_how_long_a_connection_stays() -> None:
    """`Keep-Alive`, on both ways, unless the connection ends."""

    async def main() -> None:
        for path in ("/fn/f", "/fn/nobody"):
            _, headers, _, _ = await status_of("GET", path, "host: box")
            assert headers["keep-alive"] == "timeout=75"
            _, headers, _, _ = await status_of("GET", path, "host: box", "connection: close")
            assert (headers["connection"], "keep-alive" in headers) == ("close", False)

    asyncio.run(main())


def holder(*, scopes: Sequence[str] = ("invoke:f",)) -> tuple[Doors, str]:
    """The doors of a box that asks its callers, and a token for it by the name of `camera`."""
    rows = FakeRows()
    doors = Doors(Tokens("t" * 43, rows, rows.keep_first), Unheard(), Unheard(), callers=TOKEN)
    return doors, asyncio.run(doors.tokens.create("camera", scopes, None))[1]


class Unheard:
    """Nobody counts and writes down."""

    def refused_token(self, reason: str) -> None: ...
    def wrong_token(self, address: str) -> None: ...


@pytest.mark.parametrize("change", ["revoke", "rotate"])
@pytest.mark.parametrize("framing", ["content-length: 3", "transfer-encoding: chunked"])
def test_a_call_that_comes_slowly_does_not_outlive_its_token(framing: str, change: str) -> None:
    """Let in by its head, refused by the end of its body: a gigabyte may take three days."""
    doors, value = holder()
    chunked = "chunked" in framing
    body = (b"3\r\nab", b"c\r\n0\r\n\r\n") if chunked else (b"ab", b"c")

    async def main() -> None:
        pool = Echo()
        kind = direct.connection(Invocation(cast("Any", pool), Bodies(1 << 24), doors), 30.0, 1 << 24)
        connection = of_kind(kind)
        head = f"POST /fn/f HTTP/1.1\r\nhost: box\r\nauthorization: Bearer {value}\r\n{framing}\r\n\r\n".encode()
        for piece in (head + b"".join(body), head + body[0]):
            connection.data_received(piece)
            await settle()
        await getattr(doors.tokens, change)("camera")
        answers = await typed(connection, [body[1]])
        assert [status for status, _, _ in answers] == [200, 401]
        assert pool.calls == [b"abc"]
        assert pool.outcomes[-1] != "ok"

    asyncio.run(main())


def test_a_call_by_asgi_does_not_outlive_its_token() -> None:
    """The same on the way of a request whose answer before has not been read."""
    doors, value = holder()

    async def main() -> None:
        pool, sent = Echo(), []
        pieces = [{"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.request", "body": b"c"}]

        async def receive() -> Any:
            if len(pieces) == 1:
                await doors.tokens.revoke("camera")
            return pieces.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/fn/f", "query_string": b"", "client": ("203.0.113.7", 1)}
        scope["headers"] = [(b"authorization", f"Bearer {value}".encode())]
        await Invocation(cast("Any", pool), Bodies(1 << 24), doors)(scope, receive, send)
        assert (sent[0]["status"], pool.calls) == (401, [])

    asyncio.run(main())
