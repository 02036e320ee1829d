"""The box as a program: one socket, one event loop, signals, and the order of going up and down."""

from __future__ import annotations

import asyncio
import errno
import gc
import ipaddress
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from types import FrameType
from typing import cast

import msgspec
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from edgefn.errors import EdgefnError, PortInUse, SpecError
from edgefn.system import core_dumps
from edgefn.text.terminal import visible
from edgefn_runtime.access import socket as owners_socket
from edgefn_runtime.access import tls
from edgefn_runtime.access.handshakes import MAX_AT_ONCE, TlsServer
from edgefn_runtime.access.tls import Tls
from edgefn_runtime.box import Box
from edgefn_runtime.gateway.app import application
from edgefn_runtime.gateway.invoke import direct
from edgefn_runtime.gateway.invoke.forwarding import Forwarding
from edgefn_runtime.gateway.invoke.invocation import Invocation
from edgefn_runtime.gateway.limits import process
from edgefn_runtime.gateway.limits.bodies import Bodies
from edgefn_runtime.gateway.limits.places import Places, counted_as
from edgefn_runtime.gateway.origins.hosts import Hosts, own_names
from edgefn_runtime.gateway.origins.origins import Origins
from edgefn_runtime.service import ServiceManager, check_development, inherited_socket, inherited_sockets, managed
from edgefn_runtime.settings import BoxSettings
from edgefn_runtime.workers.launch import Launched

_BACKLOG = 2048
_SWITCH_S = 0.0005
"""So long the event loop waits for the interpreter, each time, where a thread computes; 5 ms by default."""
_COLLECTIONS = (700, 2, 100)
"""Thresholds of Python's garbage collector: connections leave no garbage, and small steps take 2 ms, not 8.
A full collection, up to 80 ms with many connections, runs half as often.
"""
_log = logging.getLogger("edgefn.server")


def run(settings: BoxSettings, zygote: Launched | None = None) -> int:
    """Serve until SIGTERM or SIGINT, drain, and return the exit code.

    Where the box cannot start, the reason is on stderr.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Visible("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    sys.setswitchinterval(_SWITCH_S)
    process.raise_descriptor_limit()
    process.return_large_memory()
    is_managed = managed(os.environ)
    if is_managed:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it is known what there is to read again
    manager = ServiceManager.of(os.environ)
    core_dumps.seal_memory()
    try:
        tls.check(settings)
        with ExitStack() as open_sockets:
            listeners = [open_sockets.enter_context(listener) for listener in _listeners(settings)]
            if settings.development:
                check_development(listeners, is_managed=is_managed)
            host, port, *_ = listeners[0].getsockname()
            beyond = not all(_is_loopback(listener) for listener in listeners)
            told = msgspec.structs.replace(settings, host=host, port=port, beyond_loopback=beyond)
            return uvloop.run(_serve(told, listeners, manager, zygote, is_managed=is_managed))
    except EdgefnError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


async def _serve(
    settings: BoxSettings,
    listeners: list[socket.socket],
    manager: ServiceManager,
    zygote: Launched | None,
    *,
    is_managed: bool,
) -> int:
    box = Box(settings)
    try:
        await box.start(zygote)
        with owners_socket.listening(box.home.run) as own, closing(manager):
            box.listening(settings.port)
            server = _Server(box, uvicorn_config(box), manager, own, is_managed=is_managed)
            gc.collect()
            gc.set_threshold(*_COLLECTIONS)
            gc.freeze()  # collections from now on look at what requests leave, not at the box itself
            print(f"edgefn box listening on {box.url} (home {box.home.path})", flush=True)
            _warn(settings)
            if box.tls is not None:
                print(f"its certificate has the fingerprint {box.tls.fingerprint}", flush=True)
            if settings.development:
                _log.warning("development mode: every function gets the network and the devices that it asks for")
            await server.serve(sockets=listeners)
    finally:
        # The order of shutdown: the server has answered what it took; then all processes end; then the store closes.
        await box.stop()
    return 0


def _warn(settings: BoxSettings) -> None:
    """Warn about what is open on a box that listens beyond loopback: no TLS, or open functions."""
    if settings.beyond_loopback and not tls.is_on(settings):
        _log.warning(
            "no TLS: others on the network can read tokens, requests and answers; use --tls auto to encrypt them"
        )
    if settings.beyond_loopback and settings.open:
        _log.warning("--open: everybody who can reach the box may call its functions")


def uvicorn_config(box: Box) -> uvicorn.Config:
    """Return the HTTP server's settings: httptools, no access log, a drain as long as the box's."""
    settings = box.settings
    invocation = Invocation(
        box, Bodies(settings.client_memory_bytes or 0), box.doors if box.doors.asks_callers else None
    )
    forwarding = Forwarding(settings.root_path, settings.trusted_proxies)
    box.doors.client_of = forwarding.client
    return uvicorn.Config(
        application(box, invocation, forwarding),
        loop="none",
        http=direct.connection(
            invocation,
            settings.client_timeout_s,
            most_unread_bytes=settings.client_memory_bytes or 0,
            places=Places(process.connections(tls=tls.is_on(settings)), settings.connections_per_address or 0),
            hosts=Hosts(settings.allow_hosts, (*own_names(), settings.host)),
            origins=Origins(settings.allow_origins),
            forwarding=forwarding,
        ),
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        headers=[("x-content-type-options", "nosniff"), *([("vary", "Origin")] if settings.allow_origins else [])],
        proxy_headers=False,
        log_config=None,
        backlog=_BACKLOG,
        timeout_keep_alive=cast("int", settings.idle_timeout_s),
        timeout_graceful_shutdown=int(settings.drain_s),
    )


class _Visible(logging.Formatter):
    """Escapes characters that a terminal would act on: reasons come from handlers, and operators read them."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


class _Server(uvicorn.Server):
    """uvicorn's server, which reports to the box and the service manager when it answers and when it must leave."""

    def __init__(
        self,
        box: Box,
        config: uvicorn.Config,
        manager: ServiceManager,
        own: socket.socket | None,
        *,
        is_managed: bool,
    ) -> None:
        super().__init__(config)
        self._box = box
        self._manager = manager
        self._own = own
        self._is_managed = is_managed

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        if self._box.tls is None:
            await super().startup(sockets)
        else:
            await super().startup([])
            tls = self._box.tls
            for listener in sockets or []:
                server = TlsServer(listener, lambda: tls.context, self._connection, _most_handshakes(), counted_as)
                self.servers.append(cast("asyncio.Server", server))
        if self._own is not None:
            self.servers.append(await loop.create_unix_server(self._connection, sock=self._own))
        self._manager.ready(f"listening on {self._box.url}")

    def _connection(self) -> HttpToolsProtocol:
        """Return a connection of the gateway."""
        kind = cast("type[HttpToolsProtocol]", self.config.http_protocol_class)
        return kind(self.config, self.server_state, self.lifespan.state)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain at SIGTERM and SIGINT, and do nothing else: they are not raised again afterwards.

        SIGHUP has files read again; the end of a terminal is that of a box which was started there and has none.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave, number)
        if self._box.tls is not None:
            loop.add_signal_handler(signal.SIGHUP, self._renew, self._box.tls)
        elif self._is_managed:
            loop.add_signal_handler(signal.SIGHUP, _log.info, "SIGHUP: nothing to reload without TLS")
        elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup(1) has it
            loop.add_signal_handler(signal.SIGHUP, self._leave, signal.SIGHUP)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _renew(self, tls: Tls) -> None:
        """Read the TLS files again on SIGHUP; keep the present ones where the new ones are wrong."""
        try:
            tls.renew()
        except SpecError as error:
            _log.error("could not reload the certificate and the client authority, so the old ones stay: %s", error)
        else:
            _log.info("the certificate now is %s", tls.fingerprint)

    def _leave(self, number: int, frame: FrameType | None = None) -> None:
        self._manager.stopping("shutting down: answering the accepted requests")
        self._box.drain()
        self.handle_exit(number, frame)


def _most_handshakes() -> int:
    """Return how many connections may be in their handshake: a quarter of the descriptors at most."""
    return min(MAX_AT_ONCE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)


def _listeners(settings: BoxSettings) -> list[socket.socket]:
    """Return the socket of --fd, or those that the service manager opened, or a new one."""
    opened = inherited_sockets(os.environ)
    if settings.fd is not None:
        return [inherited_socket(settings.fd)]
    return opened or [_listening_socket(settings.host, settings.port)]


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def _listening_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)  # who reads that the box listens and connects at once, waits; it is not refused
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"another program uses port {port} on {host}: choose another with --port") from error
        raise PortInUse(
            f"cannot listen on {host}:{port} ({error.strerror}): choose others with --host and --port"
        ) from error
    return listener
