"""A box's connection in memory: bytes are typed into it, and what it answers is read. Its one function `f` echoes.

The connection, the parser and the way to the function are the box's own; only the socket and the instance are made up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import httptools
import uvicorn
from uvicorn.server import ServerState

from edgefn.spec import FunctionSpec
from edgefn_runtime.calls.call import Call, Outcome
from edgefn_runtime.gateway.app import refuse_websocket  # noqa: F401  (the gateway is imported once, before any clock runs)
from edgefn_runtime.gateway.invoke import direct
from edgefn_runtime.gateway.invoke.direct import Direct
from edgefn_runtime.gateway.invoke.invocation import Invocation
from edgefn_runtime.gateway.limits.bodies import Bodies
from edgefn_runtime.wire.messages import Answer

MAX_BODY = 400_000


@dataclass
class Echo:
    """The pool of `f`: it answers each call with its body, or with its query; with `slow` it keeps them."""

    slow: bool = False
    spec: FunctionSpec = field(default_factory=lambda: FunctionSpec("f", "f:f", max_body_bytes=MAX_BODY))
    calls: list[bytes] = field(default_factory=list)
    kept: list[Call] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)

    def submit(self, call: Call) -> None:
        body = call.body if isinstance(call.body, bytes) else b"".join(call.body)
        self.calls.append(body or call.query.encode())
        self.kept.append(call)
        if not self.slow:
            self.answer()

    def answer(self) -> None:
        for call, body in zip(self.kept, self.calls[-len(self.kept) :], strict=True):
            call.succeed(Outcome(Answer(0, "text/plain", 0.0, 0.0, 0.0), body))
        self.kept.clear()

    def cancel(self, call: Call) -> None:
        call.future.cancel()

    def answered(self, outcome: str, seconds: float, cold: bool) -> None:
        self.outcomes.append(outcome)

    # As the box that Invocation wants.
    @property
    def supervisor(self) -> Echo:
        return self

    @property
    def logs(self) -> Echo:
        return self

    def write(self, function: str, line: str, **more: object) -> None: ...

    def find(self, name: str) -> Echo | None:
        return self if name == "f" else None

    def failed(self, name: str) -> str:
        return ""


class Wire(asyncio.Transport):
    """Keeps what is written. `peer` is the address of the other end."""

    def __init__(self, peer: str = "203.0.113.7") -> None:
        super().__init__()
        self.peer = (peer, 4711)
        self.said = b""
        self.closed = self.half_closed = False
        self.reads = True
        self.ended = False
        """Whether the box had ended the connection when all was typed."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": self.peer, "sockname": ("127.0.0.1", 8080)}.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed, "nothing is said on a closed connection"
        assert not self.half_closed, "nothing is said behind the last word"
        self.said += data

    def writelines(self, pieces: Iterable[bytes | bytearray | memoryview]) -> None:
        for piece in pieces:
            self.write(piece)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.half_closed = True

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class Answers:
    """Parses what was said into (status, headers, body)."""

    def __init__(self, said: bytes) -> None:
        self.all: list[tuple[int, dict[str, str], bytes]] = []
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(said)

    def on_message_begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self.all.append((status, self._headers, self._body))


def connected(pool: Echo | None = None, peer: str = "203.0.113.7", **members: Any) -> Direct:
    """A connection from `peer` on the running event loop; `members` are those of its class."""
    invocation = Invocation(cast("Any", pool or Echo()), members.pop("bodies", None) or Bodies(1 << 24))
    kind = direct.connection(invocation, members.pop("patience_s", 30.0), 1 << 24, **members)
    return of_kind(kind, peer)


def of_kind(kind: type[Direct], peer: str = "203.0.113.7") -> Direct:
    """One more connection of the same server."""
    config, state = _server(cast("Hashable", kind))
    made = kind(config=config, server_state=state, app_state={}, _loop=asyncio.get_running_loop())
    made.connection_made(Wire(peer))
    return made


@cache
def _server(kind: Any) -> tuple[uvicorn.Config, ServerState]:
    config = uvicorn.Config(kind.invocation, http=kind, log_config=None, timeout_keep_alive=75)
    config.load()
    return config, ServerState()


async def settle() -> None:
    """What was submitted has been answered, what waits has been parsed."""
    for _ in range(6):
        await asyncio.sleep(0)


async def typed(connection: Direct, pieces: Iterable[bytes]) -> list[tuple[int, dict[str, str], bytes]]:
    """The answers to what is typed, piece by piece."""
    wire = cast("Wire", connection.transport)
    for piece in pieces:
        connection.data_received(piece)
        await settle()
    for _ in range(50):
        if wire.reads or wire.half_closed:
            break
        await settle()
    await settle()
    answers = Answers(wire.said).all
    wire.ended = wire.closed or wire.half_closed
    connection.connection_lost(None)
    return answers


def ended(connection: Direct) -> bool:
    """Whether the box had ended the connection when all was typed."""
    return cast("Wire", connection.transport).ended
