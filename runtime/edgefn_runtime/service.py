"""The box as a service: messages to the manager that started it, and the sockets that it opened for the box.

Speaks sd_notify(3) and sd_listen_fds(3): environment variables, one datagram socket and inherited descriptors, so
systemd and other managers know them. The variables are taken out of the environment when they are read: no child of the
box can report in the box's name that it is ready, or take its sockets for its own. Never decides the box's state.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Self

from edgefn.errors import SpecError

_FIRST_DESCRIPTOR = 3
"""SD_LISTEN_FDS_START: inherited sockets follow stdin, stdout and stderr."""

_PATIENCE_S = 0.2
"""The longest that a manager that does not read its socket can block the event loop."""

_log = logging.getLogger("edgefn.service")


class ServiceManager:
    """The manager that started the box and wants its messages. Without an `address` there is none; messages go nowhere.

    With `watchdog_s` the manager expects a sign of life at least that often.
    """

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_s = watchdog_s
        # Held open: a box that runs out of descriptors still lives, and must be able to say so.
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        if self._socket is not None:
            self._socket.settimeout(_PATIENCE_S)
        self._next_ping: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> Self:
        """Read the manager from `environment`, and remove its variables there."""
        address = environment.pop("NOTIFY_SOCKET", "")
        watched = environment.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environment.pop("WATCHDOG_USEC", "")
        return cls(address, int(usec) / 1e6 if address and watched and usec.isdecimal() else 0.0)

    def ready(self, status: str) -> None:
        """Report to the manager that the box answers; then send signs of life from the running event loop."""
        self._tell("READY=1", f"STATUS={status}")
        self._ping()

    def stopping(self, status: str) -> None:
        """Report to the manager that the box is stopping."""
        self._tell("STOPPING=1", f"STATUS={status}")

    def close(self) -> None:
        """Stop the signs of life."""
        if self._next_ping is not None:
            self._next_ping.cancel()
        if self._socket is not None:
            self._socket.close()

    def _ping(self) -> None:
        """Send a sign of life, and schedule the next.

        Only the event loop calls this: a loop that is stuck gives no sign, and the manager replaces the box.
        """
        if self._watchdog_s:
            self._tell("WATCHDOG=1")
            self._next_ping = asyncio.get_running_loop().call_later(self._watchdog_s / 2, self._ping)

    def _tell(self, *lines: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except (OSError, ValueError) as error:
            _log.warning("could not notify the service manager at %r of %s: %s", self._address, lines[0], error)


def managed(environment: Mapping[str, str]) -> bool:
    """Tell whether a service manager started this very process, and not a shell in a unit of its."""
    mine = str(os.getpid())
    return "NOTIFY_SOCKET" in environment or mine in (
        environment.get("LISTEN_PID"),
        environment.get("SYSTEMD_EXEC_PID"),
    )


def check_development(listeners: Iterable[socket.socket], *, is_managed: bool) -> None:
    """Raise SpecError for a box in development mode that is a service, or that other machines reach."""
    if is_managed:
        raise SpecError(
            "--dev is not for a service, because it grants functions all permissions that they ask for: remove it "
            "from the unit"
        )
    for listener in listeners:
        if listener.family == socket.AF_UNIX:
            continue
        host = str(listener.getsockname()[0])
        if not ipaddress.ip_address(host).is_loopback:
            raise SpecError(f"--dev needs a loopback address, and {host} is not one: leave out --dev or change --host")


def inherited_sockets(environment: MutableMapping[str, str]) -> list[socket.socket]:
    """Return the sockets opened for this very process (LISTEN_FDS, LISTEN_PID), or none.

    Raises SpecError.
    """
    meant = environment.pop("LISTEN_PID", "") == str(os.getpid())
    count = environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if not meant or not count.isdecimal():
        return []
    return [inherited_socket(_FIRST_DESCRIPTOR + index) for index in range(int(count))]


def inherited_socket(descriptor: int) -> socket.socket:
    """Return the inherited TCP socket `descriptor`. Raises SpecError when it is something else."""
    try:
        found = socket.socket(fileno=descriptor)
    except (OSError, ValueError) as error:
        raise SpecError(f"the box cannot listen on descriptor {descriptor}: {error}") from error
    if found.family not in (socket.AF_INET, socket.AF_INET6) or found.type != socket.SOCK_STREAM:
        found.detach()
        raise SpecError(f"descriptor {descriptor} is not a TCP socket: pass one that is bound to an address and port")
    found.set_inheritable(False)
    return found
