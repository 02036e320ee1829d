"""A request's way through the gateway to real instances: over raw ASGI, and directly from its connection."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgefn_runtime.gateway.invoke.invocation import Invocation
from edgefn_runtime.scheduling.lifecycle import FunctionState
from tests.runtime.gateway.listener import listening
from tests.runtime.pool.bench import Bench, Test

ADD = """
import time
@edge_function
def f(n: int = 0, sleep: float = 0.0) -> dict[str, int]:
    time.sleep(sleep)
    if n < 0:
        raise ValueError("a secret of the house")
    return {"n": n + 1}
"""
TIMING = re.compile(
    r"queue;dur=[\d.]+, start;dur=[\d.]+;desc=(cold|warm), decode;dur=[\d.]+, run;dur=[\d.]+, encode;dur=[\d.]+"
)

Asked = Callable[[Bench, httpx.AsyncClient], Awaitable[None]]
Ask = Callable[[Asked], None]


@pytest.fixture(params=["asgi", "direct"])
def ask(tmp_path: Path, request: pytest.FixtureRequest) -> Ask:
    """Runs a test's coroutine with the function `f` deployed and an HTTP client in front of it, both ways."""

    def run(test: Asked) -> None:
        async def main() -> None:
            bench = Bench(tmp_path)
            bench.supervisor.start()
            try:
                await bench.deploy(ADD, scale=(0, 1), timeout_s=5.0, max_body_bytes=1000)
                if request.param == "asgi":
                    transport = httpx.ASGITransport(Invocation(bench))
                    async with httpx.AsyncClient(transport=transport, base_url="http://box") as client:
                        await test(bench, client)
                else:
                    async with (
                        listening(Invocation(bench)) as port,
                        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
                    ):
                        await test(bench, client)
            finally:
                await bench.supervisor.stop()

        asyncio.run(main())

    return run


def test_each_answer_says_where_the_time_went_and_whether_it_was_cold(ask: Ask) -> None:
    """Server-Timing has the five phases; the first answer after zero is cold, the next one warm."""

    async def test(bench: Bench, client: httpx.AsyncClient) -> None:
        kinds = []
        for _ in range(2):
            answer = await client.post("/fn/f", json={"n": 1})
            assert answer.json() == {"n": 2}
            matched = TIMING.fullmatch(answer.headers["server-timing"])
            assert matched, answer.headers["server-timing"]
            kinds.append(matched[1])
        assert kinds == ["cold", "warm"]
        assert bench.figures.outcomes == ["ok", "ok"]

    ask(test)


def test_scalars_may_come_from_the_query_and_head_has_no_body(ask: Ask) -> None:
    """GET /fn/f?n=1 is a call; HEAD answers the same headers without the body."""

    async def test(bench: Bench, client: httpx.AsyncClient) -> None:
        assert (await client.get("/fn/f?n=41")).json() == {"n": 42}
        head = await client.head("/fn/f?n=41")
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "8")
        refused = await client.delete("/fn/f")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST")

    ask(test)


def test_a_callers_request_id_comes_back_and_one_is_made_where_none_came(ask: Ask) -> None:
    """X-Request-Id joins a caller's log and the function's."""

    async def test(bench: Bench, client: httpx.AsyncClient) -> None:
        answer = await client.post("/fn/f", json={"n": 1}, headers={"x-request-id": "mine"})
        assert answer.headers["x-request-id"] == "mine"
        ids = {(await client.post("/fn/f", json={"n": 1})).headers["x-request-id"] for _ in range(3)}
        assert len(ids) == 3

    ask(test)


def test_a_handlers_trace_is_in_its_log_under_the_answers_id_and_not_in_the_answer(ask: Ask) -> None:
    """500 with an id; what the exception said stays on the box."""

    async def test(bench: Bench, client: httpx.AsyncClient) -> None:
        answer = await client.post("/fn/f", json={"n": -1}, headers={"x-request-id": "abc-1"})
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["id"] == "abc-1"
        assert "secret" not in answer.text
        assert "a secret of the house" in bench.logs
        assert bench.figures.outcomes == ["error"]

    ask(test)


def test_a_mistake_of_the_caller_names_the_field(ask: Ask) -> None:
    """400 with the path of what does not fit; it is not the function's error."""

    async def test(bench: Bench, client: httpx.AsyncClient) -> None:
        answer = await client.post("/fn/f", json={"n": "seven"})
        assert (answer.status_code, answer.json()["field"]) == (400, "n")
        assert bench.figures.outcomes == ["client_error"]
        assert bench.supervisor.status("f").errors == 0

    ask(test)


def test_a_result_that_no_accepted_form_holds_is_a_406(ask: Ask) -> None:
    """Neither the caller's 400 nor the handler's 500: it says what to ask for, and the log has nothing."""

    async def test(bench: Bench, client: httpx.AsyncClient) -> None:
        large = {"n": 2**64 - 1}
        answer = await client.post("/fn/f", json=large, headers={"accept": "application/msgpack"})
        assert answer.status_code == 406
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert (problem["error"], problem["available"]) == ("NotAcceptable", ["application/json"])
        assert "$.n is 18446744073709551616" in problem["detail"]
        assert problem["detail"].endswith("; ask for application/json")
        assert float(answer.headers["server-timing"].partition("run;dur=")[2].partition(",")[0]) > 0
        assert bench.figures.outcomes == ["client_error"]
        assert bench.supervisor.status("f").errors == 0
        assert "Traceback" not in bench.logs
        assert (await client.post("/fn/f", json=large)).json() == {"n": 2**64}

    ask(test)


def test_accept_may_come_in_several_lines(ask: Ask) -> None:
    """They are one list, whatever else comes twice."""

    async def test(bench: Bench, client: httpx.AsyncClient) -> None:
        lines = [
            ("accept", "application/msgpack"),
            ("accept", "text/html, application/json;q=0.5"),
            ("x-a", ""),
            ("x-a", ""),
        ]
        answer = await client.post("/fn/f", json={"n": 1}, headers=lines)
        assert (answer.headers["content-type"], answer.content) == ("application/msgpack", b"\x81\xa1n\x02")
        twice = await client.post("/fn/f", json={"n": 1}, headers=[("x-a", "1"), ("x-a", "2")])
        assert twice.json() == {"n": 2}

    ask(test)


def test_a_body_over_the_limit_is_refused_before_it_is_read_and_wakes_nothing(ask: Ask) -> None:
    """413 by the declared length: the body is never asked for first, no process starts."""

    async def test(bench: Bench, client: httpx.AsyncClient) -> None:
        await bench.supervisor.stop_function("f")
        answer = await client.post("/fn/f", content=b"x" * 1001)
        assert answer.status_code == 413
        assert bench.supervisor.pool("f").state is FunctionState.IDLE

        async def pieces() -> Any:
            for _ in range(11):
                yield b"x" * 100

        assert (await client.post("/fn/f", content=pieces())).status_code == 413  # chunked: no declared length

    ask(test)


def test_an_unknown_function_is_404(ask: Ask) -> None:
    """problem+json that names it."""

    async def test(bench: Bench, client: httpx.AsyncClient) -> None:
        answer = await client.post("/fn/nobody", json={})
        assert (answer.status_code, answer.json()["error"]) == (404, "FunctionNotFound")

    ask(test)


def test_a_client_that_leaves_takes_its_call_out_of_the_queue(on_bench: Callable[[Test], None]) -> None:
    """http.disconnect while the call waits: it is counted as canceled and never served."""
    source = """
    import time
    served = 0
    @edge_function
    def f(sleep: float) -> int:
        global served
        served += 1
        time.sleep(sleep)
        return served
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        await bench.ask(sleep=0)
        busy = bench.submit(sleep=0.5)
        await _invoke_and_leave(Invocation(bench))
        assert bench.answer(await busy.future) == 2
        assert await bench.ask(sleep=0) == 3
        assert bench.figures.outcomes == ["canceled"]

    on_bench(test)


async def _invoke_and_leave(invocation: Invocation) -> None:
    """One request whose client closes its connection at once."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b'{"sleep": 0}', "more_body": False},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/fn/f", "query_string": b"", "headers": headers}
    await asyncio.wait_for(invocation(scope, receive, send), 10)
    assert sent == []
