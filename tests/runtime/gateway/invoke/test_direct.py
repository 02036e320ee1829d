"""What the direct way from a connection to a function must hold, whatever pieces a client sends."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from random import Random

import pytest

from edgefn_runtime.gateway.invoke.invocation import Invocation
from tests.runtime.gateway.listener import Run, answer, listening, request
from tests.runtime.supervisor.bench import Bench


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
        ("transfer-encoding: gzip, chunked\r\n\r\n7\r\n", 415),
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
    return bool(bench.supervisor.status("f")["queued"] == count)


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


def test_what_an_instance_calls_its_answer_adds_no_header(tmp_path: Path) -> None:
    """A content type with a line break in it is an internal error, not a header of the handler's choice."""
    source = """
    from edgefn_runtime.process import serving
    serving.encode = lambda *_: ("text/plain\\r\\nset-cookie: a=b", b"x")
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
                status, headers, _ = await answer(reader)
                assert status == 500
                assert "set-cookie" not in headers
                writer.close()
        finally:
            await bench.supervisor.stop()

    asyncio.run(main())
