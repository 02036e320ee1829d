"""A server on loopback whose connections call functions themselves, as the box's do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from edgefn_runtime.gateway.invoke import direct
from edgefn_runtime.gateway.invoke.invocation import Invocation
from tests.runtime.pool.bench import Bench

Client = Callable[[Bench, int], Awaitable[None]]
Run = Callable[[Client], None]

SOURCE = """
import time
seen = []
@edge_function
def f(n: int = 0, sleep: float = 0.0, body: str = "") -> dict[str, int]:
    seen.append(n)
    time.sleep(sleep)
    return {"n": n + len(body), "seen": len(seen)}
"""


@asynccontextmanager
async def listening(invocation: Invocation) -> AsyncIterator[int]:
    """The port of a server that has `invocation` both as its application and on the direct way."""
    kind = direct.connection(invocation, 30.0)
    config = uvicorn.Config(invocation, http=kind, log_config=None)
    config.load()
    loop, state = asyncio.get_running_loop(), ServerState()
    make: Any = lambda: kind(config=config, server_state=state, app_state={}, _loop=loop)  # noqa: E731
    server = await loop.create_server(make, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        await server.wait_closed()


def request(n: int, *, sleep: float = 0.0, body: str = "", more: str = "") -> bytes:
    """One POST to `f`."""
    content = json.dumps({"n": n, "sleep": sleep, "body": body}).encode()
    head = f"POST /fn/f HTTP/1.1\r\nhost: box\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n"
    return f"{head}{more}\r\n".encode() + content


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """The next answer of a connection: status, headers, body."""
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if line)
    return int(status.split()[1]), headers, await reader.readexactly(int(headers["content-length"]))
