"""Connections whose TLS handshake is not over: who says nothing keeps nobody out, and ends."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop

from edgefn_runtime.access.certificate import self_signed
from edgefn_runtime.access.handshakes import TlsServer
from edgefn_runtime.store.disk import OsDisk
from tests.e2e.hostile_handshakes import HELLO

MOST = 4


class Echo(asyncio.Protocol):
    """Answers with what comes, once a handshake is over."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """The server's TLS settings, and its certificate."""
    files = self_signed(tmp_path_factory.mktemp("tls"), OsDisk(), "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context, files.certificate


async def answered(certificate: Path, *address: Any, **connection: Any) -> asyncio.StreamWriter:
    """Connect by TLS, be answered, and return the connection."""
    trusting = ssl.create_default_context(cafile=str(certificate))
    reader, writer = await asyncio.open_connection(*address, ssl=trusting, server_hostname="localhost", **connection)
    writer.write(b"hello")
    assert await asyncio.wait_for(reader.readexactly(5), 10) == b"hello"
    return writer


def test_a_crowd_of_silent_clients_keeps_nobody_out(contexts: tuple[ssl.SSLContext, Path]) -> None:
    """The one that has been silent for longest makes room: a client that speaks is answered, and the bound holds."""
    server_side, certificate = contexts

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as crowd:
            server = TlsServer(listener, lambda: server_side, Echo, MOST)
            address = listener.getsockname()
            silent = [crowd.enter_context(socket.create_connection(address)) for _ in range(3 * MOST)]
            for client in silent:
                client.setblocking(False)
            writer = await answered(certificate, *address)
            assert server._count <= MOST
            loop = asyncio.get_running_loop()
            assert await asyncio.wait_for(loop.sock_recv(silent[0], 1), 10) == b""
            server.close()
            assert await asyncio.wait_for(loop.sock_recv(silent[-1], 1), 10) == b""
            await asyncio.wait_for(server.wait_closed(), 10)
            writer.transport.abort()

    uvloop.run(asyncio.wait_for(main(), 30))


def test_a_crowd_of_one_address_takes_no_others_time(contexts: tuple[ssl.SSLContext, Path]) -> None:
    """A client on a slow link has taken longest of all, and is not the one that makes room."""
    server_side, certificate = contexts

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as crowd:
            server = TlsServer(listener, lambda: server_side, Echo, MOST)
            address = listener.getsockname()
            slow = socket.create_connection(address, source_address=("127.0.0.2", 0))
            for _ in range(3 * MOST):
                crowd.enter_context(socket.create_connection(address, source_address=("127.0.0.3", 0)))
                await asyncio.sleep(0.01)
            assert server._count == MOST
            writer = await answered(certificate, sock=slow)
            server.close()
            await asyncio.wait_for(server.wait_closed(), 10)
            assert (server._count, server._pending) == (0, {})
            writer.transport.abort()

    uvloop.run(asyncio.wait_for(main(), 30))


def test_a_client_that_speaks_no_tls_is_let_go(contexts: tuple[ssl.SSLContext, Path]) -> None:
    """Its connection ends, and is counted no more."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = TlsServer(listener, lambda: contexts[0], Echo, MOST)
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await asyncio.wait_for(reader.read(), 10)
            await asyncio.wait_for(server.wait_closed(), 10)
            assert not server._pending
            server.close()
            writer.close()

    uvloop.run(asyncio.wait_for(main(), 30))


@pytest.mark.parametrize("crowd_size", [2, 24])
def test_a_crowds_handshakes_are_begun_one_after_the_other(
    contexts: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch, crowd_size: int
) -> None:
    """Each takes half a millisecond and more of the event loop: others have their turns, and half of the time, between.

    Who has not spoken yet is not waited for.
    """
    begun: list[int] = []
    handshake, turns = TlsServer._handshake, 0

    async def noting(self: TlsServer, client: socket.socket) -> Any:
        begun.append(turns)
        return await handshake(self, client)

    monkeypatch.setattr(TlsServer, "_handshake", noting)

    async def main() -> None:
        nonlocal turns
        with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as crowd:
            address = listener.getsockname()
            clients = [crowd.enter_context(socket.create_connection(address)) for _ in range(1 + crowd_size)]
            for client in clients[1:]:  # the first says nothing
                client.sendall(HELLO)
            server = TlsServer(listener, lambda: contexts[0], Echo, 100)
            while len(begun) < crowd_size:
                turns += 1
                await asyncio.sleep(0)
            for client in clients[1:]:
                client.setblocking(False)
                assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1), 10) == b"\x16"
            server.close()
            await asyncio.wait_for(server.wait_closed(), 10)

    uvloop.run(asyncio.wait_for(main(), 30))
    assert all(after - before > 3 for before, after in itertools.pairwise(begun))
