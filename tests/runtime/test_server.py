"""The box's socket."""

from __future__ import annotations

import socket

import pytest

from edgefn.errors import PortInUse
from edgefn_runtime.server import _listening_socket


def test_the_port_takes_connections_before_the_server_runs() -> None:
    """The box says where it listens before its server accepts: a client that is quick must not be refused."""
    with _listening_socket("127.0.0.1", 0) as listener, socket.socket() as client:
        client.connect(listener.getsockname())


def test_a_port_that_is_taken_is_told() -> None:
    """PortInUse names the port and the option that gives another."""
    with _listening_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"port {port} .* choose another with --port"):
            _listening_socket("127.0.0.1", port)
