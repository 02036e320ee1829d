"""What one client sends in one go keeps nobody waiting, and takes no memory."""

from __future__ import annotations

import asyncio
import itertools
import time
import tracemalloc
from typing import cast

import pytest

from edgefn.errors import EdgefnError
from edgefn.spec import FunctionSpec
from edgefn_runtime.gateway.invoke.direct import Direct
from edgefn_runtime.gateway.limits import backlog, heads
from edgefn_runtime.gateway.limits.backlog import Backlog
from edgefn_runtime.wire.frames import GULP_BYTES
from tests.runtime.gateway.typed import Answers, Echo, Wire, connected, of_kind, settle

READ = 1 << 18
"""What one read brings at most."""

SMALLEST = b"GET /fn/f HTTP/1.1\r\nhost:b\r\n\r\n"
CHUNKS = b"POST /fn/f HTTP/1.1\r\nhost:b\r\ntransfer-encoding:chunked\r\n\r\n" + b"1\r\na\r\n" * (READ // 6)
FIELDS = b"GET /fn/f HTTP/1.1\r\nhost:b\r\n" + b"a:\r\n" * (READ // 4)
HEADER = b"GET /fn/f HTTP/1.1\r\nhost:b\r\nx:" + b"a" * READ
TRAILER = b"POST /fn/f HTTP/1.1\r\nhost:b\r\ntransfer-encoding:chunked\r\n\r\n0\r\n" + b"a:\r\n" * (READ // 4)


@pytest.mark.parametrize(
    "read", [SMALLEST * (READ // len(SMALLEST)), CHUNKS, FIELDS, HEADER, TRAILER, b"\r\n" * (READ // 2)]
)
def test_a_read_is_parsed_in_turns(read: bytes) -> None:
    """Eight clients send a quarter of a mebibyte each: no turn of the event loop takes long, and little is held."""

    async def longest_turn() -> float:
        kind = type(connected(Echo(slow=True)))
        await settle()
        clients, longest = [of_kind(kind) for _ in range(8)], 0.0
        for turn in range(60):
            began = time.thread_time()
            if turn < len(clients):
                clients[turn].data_received(read)
            else:
                await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)
        for client in clients:
            client.connection_lost(None)
        return longest

    async def main() -> None:
        assert min([await longest_turn() for _ in range(3)]) < 0.02, "all of one read takes 100 ms"
        tracemalloc.start()
        await longest_turn()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 8 * READ + 2_000_000

    asyncio.run(main())


def test_a_head_is_refused_at_its_bound() -> None:
    """64 KiB, 100 fields, a target of 16 KiB: up to them served, one more is 431 or 414, whatever the pieces."""

    def head(target: int = 10, fields: int = 1, size: int = 100) -> bytes:
        lines = [b"GET /fn/f?%b HTTP/1.1" % (b"a" * (target - 6)), b"host: b"]
        lines += [b"x: y"] * (fields - 2)
        rest = size - sum(map(len, lines)) - 2 * len(lines)
        return b"\r\n".join([*lines, *([b"z: " + b"a" * (rest - 5)] if rest > 5 else []), b"", b""])

    cases = [
        (head(target=1 << 14), 200),
        (head(target=(1 << 14) + 1), 414),
        (head(fields=99), 200),
        (head(fields=150), 431),
        (head(size=65_000), 200),
        (head(size=66_000), 431),
        (head(target=1 << 17), 414),
    ]

    async def main() -> None:
        for sent, status in cases:
            for piece in (len(sent), 4096, 1000):
                connection = connected()
                for at in range(0, len(sent), piece):
                    connection.data_received(sent[at : at + piece])
                for _ in range(400):
                    await asyncio.sleep(0)
                    if said := cast("Wire", connection.transport).said:
                        break
                assert Answers(said).all[0][0] == status, (len(sent), piece)
                connection.connection_lost(None)

    asyncio.run(main())


@pytest.mark.parametrize("sent", [FIELDS[:4096], TRAILER[:4096]])
def test_fields_beyond_the_bound_are_not_taken(sent: bytes) -> None:
    """A read may bring a thousand of them: the parser stops at the first that is one too many."""

    async def main() -> None:
        connection = connected()
        connection.data_received(sent)
        assert len(connection.headers) == heads.MAX_FIELDS + 1
        await settle()
        assert Answers(cast("Wire", connection.transport).said).all[-1][0] == 431
        connection.connection_lost(None)

    asyncio.run(main())


def test_empty_lines_cost_little() -> None:
    """A read of them is parsed in a few turns, not two lines at a time, and then refused."""

    async def main() -> None:
        connection, turns = connected(), 0
        began = time.thread_time()
        connection.data_received(b"\r\n" * (READ // 2))
        while not cast("Wire", connection.transport).said:
            await asyncio.sleep(0)
            turns += 1
        assert Answers(cast("Wire", connection.transport).said).all[0][0] == 431
        assert turns < 20
        assert time.thread_time() - began < 0.02
        connection.connection_lost(None)

    asyncio.run(main())


@pytest.mark.parametrize("clients", [1, 2, 16])
@pytest.mark.parametrize("read", [SMALLEST * 100, SMALLEST * (READ // len(SMALLEST))])
def test_pipelined_requests_are_begun_one_in_a_turn(clients: int, read: bytes) -> None:
    """A hundred heads in four kilobytes, or thousands: however many send them, others wait for one of them at most."""

    async def main() -> None:
        pool = Echo()
        connections = [connected(pool)]
        connections += [of_kind(type(connections[0])) for _ in range(clients - 1)]
        for connection in connections:
            connection.data_received(read)
        assert len(pool.calls) <= 2 * clients, "what is parsed at once"
        while len(pool.calls) < 50 * clients:
            before = len(pool.calls)
            await asyncio.sleep(0)
            assert len(pool.calls) - before <= 1  # none where this thread had no processor for all of its turn
        for connection in connections:
            connection.connection_lost(None)

    asyncio.run(main())


def test_a_fault_in_one_connections_turn_holds_up_no_other() -> None:
    """Though nothing more is read meanwhile that would begin the next turn."""

    class Parsing:
        cycle = None

        def __init__(self, loop: asyncio.AbstractEventLoop, steps: int) -> None:
            self.loop, self.steps = loop, steps

        def parse_next(self) -> bool:
            if self.steps < 0:
                raise MemoryError
            self.steps -= 1
            return self.steps > 0

        def give_way(self, error: EdgefnError) -> None:
            """Hold nothing."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        told: list[object] = []
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
        turns, all_of_them = Backlog(BOUND), [Parsing(loop, steps) for steps in (3, -1, 3, -1, 2)]
        for one in all_of_them:
            turns.add(one)
        await settle()
        assert [one.steps for one in all_of_them] == [0, -1, 0, -1, 0]
        assert len(told) == 2

    asyncio.run(main())


BOUND = 1 << 20


def _held(clients: list[Direct]) -> int:
    return sum(len(one._rest) + one._unended for one in clients)


@pytest.mark.parametrize("sent", [SMALLEST * (READ // len(SMALLEST)), HEADER[: heads.MAX_HEAD_BYTES]])
def test_what_waits_is_bounded_together(sent: bytes) -> None:
    """Requests behind one that takes long, and heads that do not end: who has held them for longest gives way.

    Everybody whose request was there has an answer, and those who gave way are told why.
    """

    async def main() -> None:
        pool = Echo(slow=True)
        kind = type(connected(pool, backlog=Backlog(BOUND)))
        clients = [of_kind(kind) for _ in range(40)]
        for number, client in enumerate(clients):
            for at in range(0, len(sent), READ // 8):
                client.data_received(sent[at : at + READ // 8])
                await settle()
            assert _held(clients) <= BOUND + READ, number
            assert kind.backlog.held <= BOUND
        honest = of_kind(kind)
        honest.data_received(SMALLEST)
        await settle()
        for _ in range(4):  # two requests were parsed before the rest had to wait
            if pool.kept:
                pool.answer()
            await settle()
        assert Answers(cast("Wire", honest.transport).said).all[0][0] == 200
        told = [Answers(cast("Wire", one.transport).said).all for one in clients]
        gave_way = [all_of_it for all_of_it in told if any(status == 503 for status, *_ in all_of_it)]
        assert len(gave_way) >= len(clients) - BOUND // len(sent) - 1
        for answers in gave_way:
            assert [status for status, *_ in answers[:-1]] == [200] * (len(answers) - 1)
            assert answers[-1][1]["retry-after"] == str(backlog.RETRY_S)
            assert b"send each request after the answer to the one before" in answers[-1][2]
        for client in [*clients, honest]:
            client.connection_lost(None)
        assert kind.backlog.held == 0
        assert not kind.backlog._sizes

    asyncio.run(main())


def test_whose_bytes_are_being_parsed_does_not_give_way() -> None:
    """Chunks take many turns: in each of them another comes that holds as much as a read brings, and waits."""
    chunk = b"20\r\n" + bytes(32) + b"\r\n"
    bound, chunks = 16 * READ, 4 * READ // len(chunk)

    async def main() -> None:
        pool = Echo(slow=True, spec=FunctionSpec("f", "f:f", max_body_bytes=8 * READ))
        kind = type(connected(pool, backlog=Backlog(bound)))
        honest = of_kind(kind)
        honest.data_received(b"POST /fn/f HTTP/1.1\r\nhost:b\r\ntransfer-encoding:chunked\r\n\r\n")
        honest.data_received(chunk * chunks + b"0\r\n\r\n")
        crowd = []
        while honest._rest:
            crowd.append(of_kind(kind))
            crowd[-1].data_received(SMALLEST * (READ // len(SMALLEST)))
            await asyncio.sleep(0)
            assert kind.backlog.held <= bound
        await settle()
        assert bytes(32 * chunks) in pool.calls
        assert len(crowd) > 2 * bound // READ
        for client in [*crowd, honest]:
            client.connection_lost(None)

    asyncio.run(main())


def test_who_sends_chunk_after_chunk_does_not_give_way() -> None:
    """Beside a crowd that holds all there is: what is parsed as it comes is never what has waited longest."""

    async def main() -> None:
        pool = Echo(slow=True)
        kind = type(connected(pool, backlog=Backlog(BOUND)))
        crowd = [of_kind(kind) for _ in range(8)]
        honest = of_kind(kind)
        honest.data_received(b"POST /fn/f HTTP/1.1\r\nhost:b\r\ntransfer-encoding:chunked\r\n\r\n")
        for number in range(40):
            crowd[number % 8].connection_lost(None)
            crowd[number % 8] = of_kind(kind)
            crowd[number % 8].data_received(SMALLEST * (READ // len(SMALLEST)))
            honest.data_received(b"1000\r\n" + bytes(4096) + b"\r\n1000\r\n" + bytes(4096) + b"\r\n")
            for _ in range(30):
                await asyncio.sleep(0)
        honest.data_received(b"0\r\n\r\n")
        await settle()
        assert bytes(80 * 4096) in pool.calls
        for client in [*crowd, honest]:
            client.connection_lost(None)

    asyncio.run(main())


@pytest.mark.parametrize("sizes", [[READ], [1000, READ], [READ - 1, 4096, 17]])
def test_a_large_body_is_read_in_turns(sizes: list[int]) -> None:
    """However fast it comes, others have their turn after half a mebibyte of it; then the rest is read."""
    length = 3_000_000

    async def main() -> None:
        pool = Echo(spec=FunctionSpec("f", "f:f", max_body_bytes=length))
        connection = connected(pool)
        wire = cast("Wire", connection.transport)
        connection.data_received(b"POST /fn/f HTTP/1.1\r\nhost: b\r\ncontent-length: %d\r\n\r\n" % length)
        left, pieces = length, itertools.cycle(sizes)
        while left:
            turn = 0
            while wire.reads and left:
                size = min(next(pieces), left)
                connection.data_received(bytes(size))
                left, turn = left - size, turn + size
            assert turn < GULP_BYTES + READ
            assert left == 0 or turn >= GULP_BYTES
            await asyncio.sleep(0)
        await settle()
        assert pool.calls == [bytes(length)]
        assert wire.reads
        connection.connection_lost(None)

    asyncio.run(main())


def test_time_grows_as_the_bytes_do() -> None:
    """Four times as many pipelined requests cost four times as much, however they come."""

    async def cost(reads: int) -> float:
        client = connected(Echo())
        wire = cast("Wire", client.transport)
        read, began = SMALLEST * 300, time.thread_time()
        for _ in range(reads):
            client.data_received(read)
            while not wire.reads:
                await asyncio.sleep(0)
                wire.said = b""
        spent = time.thread_time() - began
        client.connection_lost(None)
        return spent

    async def main() -> None:
        await cost(1)
        one, many = await cost(2), await cost(8)
        assert many < 10 * one

    asyncio.run(main())
