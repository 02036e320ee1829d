"""A request to the box of this machine, by the socket in its home: the owner's way in, with no token.

Only the standard library: a machine with the runtime extra alone has no HTTP client.
"""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from edgefn.api.problems import Problem, error_of
from edgefn.api.routes import JSON, AdminRoute
from edgefn.errors import BoxUnreachable
from edgefn_runtime.access import socket as own_socket

TIMEOUT_S = 30.0


class OwnerAnswer(NamedTuple):
    """An answer: `value`, of the route's type, and `json`, all as the box sent it."""

    value: Any
    json: Any


def ask(home: Path, route: AdminRoute[Any], body: msgspec.Struct | None = None, **names: str) -> OwnerAnswer:
    """Send a request of `route` to the box whose home is `home` and return its answer.

    Raise BoxUnreachable where none runs there, or its socket is another user's; the box's own error for a refusal.
    """
    place = home / "run" / own_socket.NAME
    connection = _OwnerConnection(place)
    sent = {} if body is None else {"content-type": JSON}
    try:
        path = f"/admin{route.at(**names)}"
        connection.request(route.method, path, None if body is None else msgspec.json.encode(body), sent)
        answer = connection.getresponse()
        text = answer.read()
        found = json.loads(text) if text else {}
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise BoxUnreachable(
            f"no box answers at {place} ({error}): start it, name its home with --home, or run this as its user"
        ) from error
    finally:
        connection.close()
    try:
        if 200 <= answer.status < 300:
            return OwnerAnswer(found if route.answer is None else msgspec.convert(found, route.answer), found)
        problem = msgspec.convert(found, Problem)
    except msgspec.ValidationError:  # JSON, and of no box
        problem = Problem()
    raise error_of(problem)


class _OwnerConnection(http.client.HTTPConnection):
    """HTTP over the box's socket file."""

    def __init__(self, place: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._place = place

    def connect(self) -> None:
        """Connect to the socket file, however long its path is."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with own_socket.short(self._place) as name:
            self.sock.connect(name)
