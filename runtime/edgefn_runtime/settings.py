"""The settings of a box: where it lives, where it listens, and its limits.

Owns the values and their defaults; `options.py` has the spelling of each, `configuration.py` its source.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080
DEFAULT_CLIENT_TIMEOUT_S = 30.0
DEFAULT_TRUSTED_PROXIES = ("127.0.0.0/8", "::1")
DEFAULT_IDLE_TIMEOUT_S = 75.0
"""nginx's keepalive_timeout: longer than the pauses of clients that post every minute."""


class BoxSettings(msgspec.Struct, frozen=True):
    """Sizes in bytes, durations in seconds. `port` 0 takes a free one.

    `fd` is an inherited listening socket; it goes before `host` and `port`.
    `client_timeout_s` is how long a client may take to send a request, and to take the next piece of its answer.
    `memory_bytes` is the limit of all functions together; None leaves an eighth of the machine to the rest of it.
    `root_path` is the path that a proxy gives the box, e.g. "/edge", and strips; links begin with it.
    `grants` are permissions of functions beyond their sandbox, each as `edgefn box allow` takes it.
    `trusted_proxies` are addresses and networks whose X-Forwarded-Prefix, -Proto, -Host and -For count.
    `idle_timeout_s` is how long a connection may be idle between two requests.
    `client_memory_bytes` is the limit of all request bodies together, and again that of all unread answers; None is a
    sixteenth of the machine's memory for bodies, and an eighth for answers.
    `connections_per_address` is the limit of one client's address; None is an eighth of all.
    `allow_hosts` are names that the box answers to beside its own, `allow_origins` web pages that may call it.
    `tls` "auto" makes a certificate in the home; `tls_cert` and `tls_key` are files of one. `tls_client_ca` is the
    authority that has signed a certificate for each client.
    `beyond_loopback` means that other machines can reach the box; `open`, that anybody may call functions even so.
    `development` grants functions all that they ask for; on loopback alone, and never for a service manager.
    `max_scale`, `max_queue`, `max_body_bytes`, `max_timeout_s`, `max_concurrency`, `max_models` and `max_answers`
    limit the requests of a function's bundle.
    `require_isolation` refuses deployments where the least layers of isolation are missing; None is as root only.
    `allow_missing` names layers that the operator does without; `uids` are the functions' users, None finds some.
    """

    home: Path
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    fd: int | None = None
    client_timeout_s: float = DEFAULT_CLIENT_TIMEOUT_S
    drain_s: float = 30.0
    memory_bytes: int | None = None
    root_path: str = ""
    trusted_proxies: tuple[str, ...] = DEFAULT_TRUSTED_PROXIES
    grants: tuple[str, ...] = ()
    idle_timeout_s: float = DEFAULT_IDLE_TIMEOUT_S
    client_memory_bytes: int | None = None
    connections_per_address: int | None = None
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    tls: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    open: bool = False
    beyond_loopback: bool = False
    development: bool = False
    max_scale: int = 100
    max_queue: int = 10_000
    max_body_bytes: int = 2**30
    max_timeout_s: float = 3600.0
    max_concurrency: int = 1000
    max_models: int = 64
    max_answers: int = 64
    require_isolation: bool | None = None
    allow_missing: tuple[str, ...] = ()
    uids: tuple[int, int] | None = None

    @property
    def callers(self) -> str:
        """Return the rule for callers of functions: "token", "open" (anybody) or "loopback" (this machine)."""
        if not self.beyond_loopback:
            return "loopback"
        return "open" if self.open else "token"


def default_home() -> Path:
    """Return /var/lib/edgefn as root, else edgefn below the XDG state directory.

    EDGEFN_HOME goes before both.
    """
    if home := os.environ.get("EDGEFN_HOME"):
        return Path(home)
    if os.geteuid() == 0:
        return Path("/var/lib/edgefn")
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "edgefn"
