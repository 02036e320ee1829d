"""The names that the box answers to. A request for another one is refused (RFC 9110, 15.5.20: 421).

A page of attacker.example may make that name lead to the box's address for its visitor (DNS rebinding). The browser
then takes the box for the page's own server, but the name stays in `Host`. An address cannot be rebound, and a name of
this machine is nobody else's.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from pathlib import Path

from starlette.exceptions import HTTPException

ANY = "*"
_LOOPBACK = ("localhost", "ip6-localhost", "localhost.localdomain")
_MAX_KNOWN = 1024


class Hosts:
    """`allowed` are names that an operator added: `box.example`, `*.example` for all below it, `*` for any."""

    def __init__(self, allowed: Iterable[str] = (), own: Iterable[str] = _LOOPBACK) -> None:
        names = {name.lower().rstrip(".") for name in (*allowed, *own)}
        self._any = ANY in names
        self._below = tuple(name[1:] for name in names if name.startswith("*."))
        self._names = names
        self.known: set[bytes] = set()
        """Values of Host that were let in, as they came."""

    def check(self, host: bytes) -> None:
        """Let `host`, a valid value of Host, in and remember it. Raises HTTPException, 421."""
        name = name_of(host.decode("ascii"))
        if not (self._any or name in self._names or name.endswith((".localhost", *self._below)) or is_address(name)):
            raise HTTPException(
                421,
                f"this box does not accept the host name {name[:255]!r}: use its address or its own name, or start it "
                f"with --allow-host {name[:255]}",
            )
        if len(self.known) >= _MAX_KNOWN:
            self.known.clear()
        self.known.add(host)


def name_of(host: str) -> str:
    """Return a Host without its port, in lower case; an IPv6 address without brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().rstrip(".")


def is_address(name: str) -> bool:
    """Tell whether `name` is an IP address in the form of URLs."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def own_names(etc: Path = Path("/etc"), hostname: str | None = None) -> tuple[str, ...]:
    """Return the names of this machine from files; no name server is asked.

    They are the host's name, in `.local` too, below each search domain of resolv.conf, and its aliases in /etc/hosts.
    """
    full = (hostname or socket.gethostname()).lower().rstrip(".")
    short = full.partition(".")[0]
    if not short:
        return _LOOPBACK
    domains = ["local", *_search_domains(etc / "resolv.conf")]
    below = [f"{short}.{domain}" for domain in domains]
    return tuple(dict.fromkeys([*_LOOPBACK, full, short, *below, *_aliases(etc / "hosts", {full, short})]))


def _search_domains(path: Path) -> list[str]:
    words = [line.split() for line in _lines(path)]
    return [one.lower().strip(".") for line in words if line[:1] in (["search"], ["domain"]) for one in line[1:]]


def _aliases(path: Path, names: set[str]) -> list[str]:
    found = [line.partition("#")[0].lower().split()[1:] for line in _lines(path)]
    return [name for line in found if names & set(line) for name in line]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
