"""All bodies together have one bound: those that come in, and those that wait for an instance."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn_runtime.gateway.limits import bodies as module
from edgefn_runtime.gateway.limits.bodies import Bodies
from tests.runtime.gateway.typed import Answers, Echo, Wire, connected, ended, of_kind, settle, typed

if TYPE_CHECKING:
    from edgefn_runtime.gateway.invoke.direct import Direct

MOST = 100_000


def head(length: int | None) -> bytes:
    """A POST to `f` of a declared length, or chunked."""
    frame = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return f"POST /fn/f HTTP/1.1\r\nhost: box\r\n{frame}\r\n\r\n".encode()


def chunk(size: int) -> bytes:
    return b"%x\r\n%b\r\n" % (size, bytes(size))


def said(connection: Direct) -> list[int]:
    """The statuses of what it was answered so far."""
    return [status for status, _, _ in Answers(cast("Wire", connection.transport).said).all]


@pytest.fixture(autouse=True)
def no_youth(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body's pace counts from its first moment, and every refusal looks for the slowest."""
    monkeypatch.setattr(module, "YOUNG_S", 0.0)
    monkeypatch.setattr(module, "_PER_SCAN_S", -1.0)


@pytest.mark.parametrize("chunked", [False, True])
def test_unfinished_bodies_are_bounded_together(chunked: bool) -> None:
    """Sixty of them: the box never holds more than its bound, and who sends slowest is cut for the next one."""

    async def main() -> None:
        bodies = Bodies(MOST)
        kind = type(connected(bodies=bodies))
        clients = [of_kind(kind) for _ in range(60)]
        for client in clients:
            client.data_received(head(None if chunked else 50_000))
            for _ in range(4):
                client.data_received(chunk(2_000) if chunked else bytes(2_000))
                await asyncio.sleep(0)
                assert bodies.held <= MOST
        await settle()
        assert bodies.held > (MOST * 0.8 if chunked else MOST * 0.4), "a declared length is let in where all of it fits"
        told = [status for client in clients for status in said(client)]
        assert told
        assert set(told) == {503}
        for client in clients:
            client.connection_lost(None)
        assert bodies.held == 0

    asyncio.run(main())


def test_the_slowest_is_cut() -> None:
    """Of two unfinished bodies the one of which less came in the last seconds, though more of it is there."""

    async def main() -> None:
        slow = connected(bodies=Bodies(MOST))
        fast = of_kind(type(slow))
        slow.data_received(head(90_000))
        slow.data_received(bytes(60_000))
        slow._late()  # its next seconds begin, and nothing more comes
        fast.data_received(head(None))
        for _ in range(10):
            fast.data_received(chunk(9_000))
            await settle()
        fast.data_received(b"0\r\n\r\n")
        await settle()
        assert (said(slow), said(fast)) == ([503], [200])

    asyncio.run(main())


def test_queued_bodies_count_until_they_are_answered() -> None:
    """A full box tells the next one 503 and when to come again; it has room when the answers are there."""

    async def main() -> None:
        pool = Echo(slow=True)
        first = connected(pool, bodies=Bodies(MOST))
        first.data_received(head(90_000) + bytes(90_000))
        await settle()
        assert len(pool.calls) == 1
        ((status, headers, body),) = await typed(of_kind(type(first)), [head(20_000) + bytes(20_000)])
        assert (status, headers["retry-after"]) == (503, "2")
        assert "holds its maximum" in json.loads(body)["detail"]
        pool.answer()
        await settle()
        assert said(first) == [200]
        second = of_kind(type(first))
        second.data_received(head(20_000) + bytes(20_000))
        await settle()
        assert len(pool.calls) == 2

    asyncio.run(main())


def test_a_connection_stays_when_its_body_found_no_room() -> None:
    """The refused body is thrown away as it comes, and the next request on the connection is served."""

    async def main() -> None:
        first = connected(Echo(), bodies=Bodies(MOST))
        first.data_received(head(60_000) + bytes(59_000))
        second = of_kind(type(first))
        first.bodies.sending.clear()
        answers = await typed(second, [head(50_000), bytes(50_000), head(3) + b"abc"])
        assert [status for status, _, _ in answers] == [503, 200]
        assert not ended(second)

    asyncio.run(main())


def test_one_body_is_always_let_in() -> None:
    """However small the bound is: a function whose bodies are larger than it can be called."""

    async def main() -> None:
        answers = await typed(connected(bodies=Bodies(1000)), [head(300_000), bytes(200_000), bytes(100_000)])
        assert [status for status, _, _ in answers] == [200]

    asyncio.run(main())


def test_a_body_of_unknown_length_has_the_functions_bound() -> None:
    """413 as soon as more has come than the function takes; what still comes is thrown away, and nothing is run."""

    async def main() -> None:
        pool = Echo()
        connection = connected(pool)
        answers = await typed(connection, [head(None), *[chunk(50_000)] * 20])
        assert [status for status, _, _ in answers] == [413]
        assert pool.calls == []
        assert ended(connection)
        assert connection.bodies.held == 0

    asyncio.run(main())


@pytest.mark.parametrize("path", [b"/fn/f", b"/fn/nobody"])
def test_a_body_in_tiny_pieces_is_refused(path: bytes) -> None:
    """A few are read, thousands are a 400 and the end of the connection; larger ones have no bound."""
    few, many, larger = b"3\r\nabc\r\n" * 100, b"1\r\na\r\n" * 5000, chunk(40) * 6000

    async def main() -> None:
        asked = head(None).replace(b"/fn/f", path)
        for pieces, refused in ((few, False), (many, True), (larger, False)):
            connection = connected()
            sent = asked + pieces + b"0\r\n\r\n"
            connection.data_received(sent)
            for _ in range(1000):
                await asyncio.sleep(0)
            assert ended_now(connection) is refused
            assert said(connection)[0] == (404 if b"nobody" in path else 400 if refused else 200)
            connection.connection_lost(None)

    asyncio.run(main())


def ended_now(connection: Direct) -> bool:
    """Whether the box has said its last word on it."""
    wire = cast("Wire", connection.transport)
    return wire.closed or wire.half_closed


ACTS = st.lists(
    st.tuples(
        st.integers(0, 5), st.sampled_from(["ask", "ask chunked", "send", "end", "leave", "answer"]), st.integers(1, 4)
    ),
    max_size=40,
)


@given(ACTS)
@settings(max_examples=150, deadline=None)
def test_no_byte_is_counted_that_is_not_held(acts: list[tuple[int, str, int]]) -> None:
    """Whatever clients do, in any order: within the bound, and nothing is left when all have gone."""

    async def main() -> None:
        pool = Echo(slow=True)
        any_one = connected(pool, bodies=Bodies(MOST))
        any_one.connection_lost(None)
        kind = type(any_one)
        clients: dict[int, Direct] = {}
        chunked: dict[int, bool] = {}
        for number, act, size in acts:
            client = clients.get(number)
            if act == "answer":
                pool.kept = [call for call in pool.kept if not call.future.done()]
                for call in pool.kept:
                    call.fail(ValueError("an answer"))
                pool.kept.clear()
            elif act == "leave" and client is not None:
                clients.pop(number).connection_lost(None)
            elif act.startswith("ask") and client is None:
                clients[number] = of_kind(kind)
                chunked[number] = act != "ask"
                clients[number].data_received(head(None if chunked[number] else 60_000))
            elif client is not None and act == "send":
                client.data_received(chunk(15_000 * size) if chunked[number] else bytes(15_000 * size))
            elif client is not None and act == "end" and chunked[number]:
                client.data_received(b"0\r\n\r\n")
            await settle()
            held = [client._held for client in clients.values()]
            assert kind.bodies.held == sum(held)
            assert sum(held) <= max(MOST, *held, 0), "one body is let in, however large"
        for client in clients.values():
            client.connection_lost(None)
        assert kind.bodies.held == 0
        assert not kind.bodies.sending

    asyncio.run(main())


@pytest.mark.parametrize(("lately", "stays"), [(100, False), (50_000, True)])
def test_a_body_is_judged_by_what_came_in_the_last_seconds(lately: int, stays: bool) -> None:
    """Much that came at once earns no rest: a body that then trickles gets 408, one that goes on is waited for."""

    async def main() -> None:
        connection = connected()
        connection.data_received(head(400_000))
        connection.data_received(bytes(300_000))
        connection._late()  # the client's first seconds are over
        connection.data_received(bytes(lately))
        connection._late()
        assert said(connection) == ([] if stays else [408])
        connection.connection_lost(None)

    asyncio.run(main())
