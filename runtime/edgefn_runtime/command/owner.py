"""A request to the box of this machine, by the socket in its home: the owner's way in, with no token.

Only the standard library: a machine with the runtime extra alone has no HTTP client.
"""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any, TypeAlias

from edgefn import errors
from edgefn.errors import BoxUnreachable, EdgefnError
from edgefn_runtime.access import socket as own_socket

Json: TypeAlias = dict[str, Any]

TIMEOUT_S = 30.0


class BoxRefusal(EdgefnError):
    """An answer of the box that is an error, with the exit code of the error's class."""

    def __init__(self, problem: Json) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or "the box gave no reason"))
        named = getattr(errors, str(problem.get("error")), EdgefnError)
        self.code: int = getattr(named, "exit_code", EdgefnError.exit_code)


def ask(home: Path, method: str, path: str, body: Json | None = None) -> Json:
    """Send a request to the box whose home is `home` and return its answer.

    Raise BoxUnreachable where none runs there, or its socket is another user's; BoxRefusal for an error.
    """
    place = home / "run" / own_socket.NAME
    connection = _OwnerConnection(place)
    sent = {} if body is None else {"content-type": "application/json"}
    try:
        connection.request(method, f"/admin/{path}", None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        text = answer.read()
        found = json.loads(text) if text else {}
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise BoxUnreachable(
            f"no box answers at {place} ({error}): start it, name its home with --home, or run this as its user"
        ) from error
    finally:
        connection.close()
    if not isinstance(found, dict) or not 200 <= answer.status < 300:
        raise BoxRefusal(found if isinstance(found, dict) else {})
    return found


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
