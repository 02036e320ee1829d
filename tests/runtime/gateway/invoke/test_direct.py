"""What the direct way from a connection to a function must hold, whatever pieces a client sends."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from random import Random

import pytest

from edgefn_runtime.gateway.invoke.invocation import Invocation
from edgefn_runtime.gateway.limits.heads import MAX_HEAD_BYTES
from tests.runtime.gateway.listener import Run, answer, listening, request
from tests.runtime.gateway.typed import Answers, Echo, connected, settle
from tests.runtime.pool.bench import Bench


def test_pipelined_requests_are_answered_in_their_order(run: Run) -> None:
    """Twelve requests in one write, of a method and a name that are unknown among them: twelve answers, in order."""

    async def test(_bench: Bench, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        wrong = {3: b"GET /fn/nobody HTTP/1.1\r\nhost: box\r\n\r\n", 7: b"DELETE /fn/f HTTP/1.1\r\nhost: box\r\n\r\n"}
        writer.write(b"".join(wrong.get(n, request(n)) for n in range(12)))
        got = [await answer(reader) for _ in range(12)]
        assert [status for status, _, _ in got] == [{3: 404, 7: 405}.get(n, 200) for n in range(12)]
        assert [json.loads(body)["n"] for status, _, body in got if status == 200] == [0, 1, 2, 4, 5, 6, 8, 9, 10, 11]
        writer.close()

    run(test)


def test_requests_come_through_in_any_pieces(run: Run) -> None:
    """Small and large bodies, cut anywhere, on one connection: each is answered for what it holds."""

    async def test(_bench: Bench, port: int) -> None:
        draw = Random(1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for n in range(30):
            size = draw.choice((0, 10, 70_000, 300_000))
            data = request(n, body="x" * size)
            cuts = sorted(draw.randrange(1, len(data)) for _ in range(draw.randrange(4)))
            for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                writer.write(data[begin:end])
                await writer.drain()
                await asyncio.sleep(0)
            status, _, body = await answer(reader)
            assert (status, json.loads(body)["n"]) == (200, n + size)
        writer.close()

    run(test)


def test_pipelined_bodies_come_in_any_pieces(run: Run) -> None:
    """Three requests in two pieces, cut at every byte, the second piece behind the first answers: no byte is lost.

    A body that has come in part by the time of its request's turn was read without that part.
    """
    parts = [request(n, body="x" * 20) for n in range(3)]
    sent = b"".join(parts)
    ends = [sum(map(len, parts[: n + 1])) for n in range(3)]

    async def test(_bench: Bench, port: int) -> None:
        for cut in range(1, len(sent)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent[:cut])
            got = [await answer(reader) for end in ends if end <= cut]
            writer.write(sent[cut:])
            got += [await answer(reader) for _ in range(3 - len(got))]
            assert [(status, json.loads(body).get("n")) for status, _, body in got] == [(200, 20), (200, 21), (200, 22)]
            writer.close()

    run(test)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("content-type: application/json\r\ncontent-length: 7\r\n\r\n", 200),
        ("content-type: application/json\r\ncontent-type: text/plain\r\ncontent-length: 7\r\n\r\n", 415),
        ("content-encoding: gzip\r\ncontent-encoding: gzip\r\ncontent-length: 7\r\n\r\n", 415),
        ("content-encoding: br\r\ncontent-length: 7\r\n\r\n", 415),
        ("transfer-encoding: chunked\r\n\r\n7\r\n", 200),
        ("transfer-encoding: gzip, chunked\r\n\r\n7\r\n", 501),
    ],
)
def test_no_header_is_passed_over(run: Run, headers: str, status: int) -> None:
    """One that stands twice is both its values; a coding that is not undone is refused, of the body or of the way."""
    tail = "\r\n0\r\n\r\n" if "chunked" in headers else ""

    async def test(_bench: Bench, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f'POST /fn/f HTTP/1.1\r\nhost: box\r\n{headers}{{"n":5}}{tail}'.encode())
        found, _, body = await answer(reader)
        assert found == status, body
        writer.close()

    run(test)


def waits(bench: Bench, count: int) -> bool:
    """Whether so many calls wait for `f`."""
    return bool(bench.supervisor.status("f").queued == count)


def test_a_client_that_leaves_takes_its_queued_call_along(run: Run) -> None:
    """http_disconnect: in the middle of a body, and while its call waits; both are counted, neither is served."""

    async def test(bench: Bench, port: int) -> None:
        assert (await bench.ask(n=1))["seen"] == 1
        busy = bench.submit(n=2, sleep=0.5)
        for data, queued in ((request(3)[:-5], 0), (request(4), 1)):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            await writer.drain()
            await bench.until(partial(waits, bench, queued), "it waits")
            writer.transport.abort()
        await bench.until(lambda: bench.figures.outcomes == ["canceled"] * 2, "both are counted")
        assert bench.answer(await busy.future)["seen"] == 2
        assert (await bench.ask(n=5))["seen"] == 3

    run(test)


def test_a_connection_that_is_to_close_does(run: Run) -> None:
    """`Connection: close` gets its answer, says so, and ends; without it the connection serves on."""

    async def test(_bench: Bench, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(1))
        assert "connection" not in (await answer(reader))[1]
        writer.write(request(2, more="connection: close\r\n"))
        assert (await answer(reader))[1]["connection"] == "close"
        assert await reader.read() == b""
        writer.close()

    run(test)


@pytest.mark.parametrize("content_type", ["text/plain\\r\\nset-cookie: a=b", "text/\u2026", "text/\\x9b"])
def test_what_an_instance_calls_its_answer_adds_no_header(tmp_path: Path, content_type: str) -> None:
    """A content type with a line break in it, or of no ASCII, is its function's error, and no header of its choice."""
    source = f"""
    from edgefn_runtime.child import serving
    serving.encode = lambda *_: ("{content_type}", b"x")
    @edge_function
    def f() -> str:
        return "x"
    """

    async def main() -> None:
        bench = Bench(tmp_path)
        bench.supervisor.start()
        try:
            await bench.deploy(source, scale=(0, 1))
            async with listening(Invocation(bench)) as port:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"POST /fn/f HTTP/1.1\r\nhost: box\r\ncontent-length: 0\r\n\r\n")
                status, headers, body = await answer(reader)
                assert status == 500
                assert "set-cookie" not in headers
                assert b"HandlerError" in body
                assert "answered with the content type" in bench.logs
                assert bench.figures.outcomes == ["error"]
                writer.close()
        finally:
            await bench.supervisor.stop()

    asyncio.run(main())


@pytest.mark.parametrize("sleep", [0.0, 0.05])
@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"CONNECT box:80 HTTP/1.1\r\nhost: box\r\n\r\n", 405),
        (b"POST /fn/f HTTP/1.1\r\nhost: box\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /fn/f?n=" + b"1" * 17_000 + b" HTTP/1.1\r\nhost: box\r\n\r\n", 414),
        (b"GET http://box HTTP/1.1\r\nhost: box\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_told_behind_the_answers_before(
    run: Run, wrong: bytes, status: int, sleep: float
) -> None:
    """Two requests and then what cannot be read, in one piece and cut: both have run, and have their answers first."""
    sent = request(1, sleep=sleep) + request(2) + wrong

    async def test(_bench: Bench, port: int) -> None:
        for cut in (0, len(request(1, sleep=sleep)), len(sent) - len(wrong), len(sent) - len(wrong) + 30):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent[:cut])
            await asyncio.sleep(0.01)
            writer.write(sent[cut:])
            got = [await answer(reader) for _ in range(3)]
            assert [got[0][0], got[1][0], got[2][0]] == [200, 200, status], cut
            assert [json.loads(body)["n"] for _, _, body in got[:2]] == [1, 2]
            assert await reader.read() == b""
            writer.close()

    run(test)


@pytest.mark.parametrize("field", ["content-encoding: gzip", "content-type: text/plain", "x-request-timeout: 0"])
def test_a_trailer_is_no_head(run: Run, field: str) -> None:
    """What stands behind a chunked body changes nothing of how it is read."""

    async def test(_bench: Bench, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (
            "POST /fn/f HTTP/1.1\r\nhost: box\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        writer.write(f'{head}7\r\n{{"n":5}}\r\n0\r\n{field}\r\n\r\n'.encode() + request(6))
        got = [await answer(reader) for _ in range(2)]
        assert [(status, json.loads(body)["n"]) for status, _, body in got] == [(200, 5), (200, 6)]
        writer.close()

    run(test)


@pytest.mark.parametrize(
    ("begin", "endless"),
    [
        (b"GET /", b"x" * 1000),
        (b"GET /fn/f HTTP/1.1\r\nx: ", b"a" * 1000),
        (b"GET /fn/f HTTP/1.1\r\n", b"x: a\r\n" * 100),
        (b"POST /fn/f HTTP/1.1\r\nhost: box\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"x: a\r\n" * 100),
        (request(1) + b"GET /fn/f HTTP/1.1\r\nx: ", b"a" * 1000),
    ],
)
def test_a_head_that_does_not_end_is_refused(run: Run, begin: bytes, endless: bytes) -> None:
    """Long before the client's time is up: the parser keeps all of it. A trailer, too."""

    async def test(_bench: Bench, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begin)
        told = asyncio.create_task(reader.read())
        sent = 0
        while sent < 40 * MAX_HEAD_BYTES and not told.done():
            writer.write(endless)
            await writer.drain()
            await asyncio.sleep(0)
            sent += len(endless)
        assert sent < 40 * MAX_HEAD_BYTES
        last = Answers(await told).all[-1]
        assert last[0] == (414 if endless[:1] == b"x" and b":" not in endless else 431)
        assert last[1]["content-type"] == "application/problem+json"
        writer.close()

    run(test)


def test_a_large_head_and_large_bodies_are_read(run: Run) -> None:
    """Within the bound, in pieces; bodies do not count, however many of them come on one connection."""
    large = request(1, more=f"x: {'a' * 60_000}\r\n")

    async def test(_bench: Bench, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for sent in (large, request(2, body="x" * 300_000), large, request(3, body="x" * 300_000)):
            for begin in range(0, len(sent), 20_000):
                writer.write(sent[begin : begin + 20_000])
                await writer.drain()
                await asyncio.sleep(0)
            assert (await answer(reader))[0] == 200
        writer.close()

    run(test)


def test_a_body_that_was_held_back_is_no_next_request(run: Run) -> None:
    """`Expect: 100-continue` and a refusal: some clients skip the body, so the connection ends with the answer."""

    async def test(_bench: Bench, port: int) -> None:
        for path, status, close in (("/fn/nobody", 404, "close"), ("/fn/f", 200, None)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"POST {path} HTTP/1.1\r\nhost: box\r\nexpect: 100-continue\r\ncontent-length: 7\r\n\r\n"
            writer.write(head.encode())
            if status == 200:
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
                writer.write(b'{"n":5}')
            found, headers, _ = await answer(reader)
            assert (found, headers.get("connection")) == (status, close)
            writer.close()

    run(test)


@pytest.mark.parametrize("behind", [0, 1, 3])
def test_a_client_that_leaves_takes_back_what_is_served(behind: int, caplog: pytest.LogCaptureFixture) -> None:
    """Through ASGI, too, and whatever it sent behind: the call is out of the queue, and nothing is logged."""

    async def main() -> None:
        pool = Echo(slow=True)
        connection = connected(pool)
        connection.data_received(b"GET /fn/%66?n=1 HTTP/1.1\r\nhost: b\r\n\r\n" * (1 + behind))
        await settle()
        (call,) = pool.kept
        assert call.on_late is not None
        call.on_late()
        await settle()
        connection.connection_lost(None)
        await settle()
        assert call.future.cancelled()
        assert pool.outcomes == ["canceled"]

    asyncio.run(main())
    assert not caplog.records
