"""A server on loopback whose connections call functions themselves, as the box's do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from edgefn_runtime.gateway import direct
from edgefn_runtime.gateway.invocation import Invocation


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
