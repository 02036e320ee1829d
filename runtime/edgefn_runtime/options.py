"""The options of a box: how each is written on the command line, in the environment and in box.toml, and what it sets.

One table. `edgefn-box`, `edgefn box run` and `box.toml` are all made from it, so an option that is added here is in all
of them. A name of the table with dashes is the flag; in capitals behind EDGEFN_ it is the variable; unchanged it is the
key. Import it cheaply: the command line's help reads it.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

from edgefn.errors import InputError, SpecError
from edgefn.text.quantities import parse_bytes, parse_duration

Read: TypeAlias = Callable[[object, str], object]
"""Turn a value, as text or as TOML has it, into the setting's. Gets the value and its name; raises SpecError."""

MIN_CLIENT_TIMEOUT_S = 0.1
MAX_PORT = 65535
MAX_COUNT = 10_000
"""Of anything that is counted: more than one box has ever held."""


_HOST = re.compile(r"\*|(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?")
_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


class Option(NamedTuple):
    """One option. `field` is of BoxSettings; `help` ends without a period and names no default.

    `is_switch` is given without a value; `is_list` may be given again, or with commas between. An option of a single
    run, such as a descriptor, has no variable (`in_environment`) and no key (`in_file`).
    """

    field: str
    read: Read
    metavar: str
    default: str
    help: str
    is_switch: bool = False
    is_list: bool = False
    in_environment: bool = True
    in_file: bool = True


def flag(name: str) -> str:
    """Return the flag of option `name`, e.g. --client-timeout."""
    return "--" + name.replace("_", "-")


def variable(name: str) -> str:
    """Return the environment variable of option `name`, e.g. EDGEFN_CLIENT_TIMEOUT."""
    return "EDGEFN_" + name.upper()


CONFIG = "config"
CONFIG_VARIABLE = variable(CONFIG)
CONFIG_HELP = "The configuration file. Default: ~/.config/edgefn/box.toml, for root /etc/edgefn/box.toml"


def text(value: object, what: str) -> str:
    """Return `value`, a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise SpecError(f"{what} is {value!r}: give a string")
    return value


def path(value: object, what: str) -> Path:
    """Return `value` as an absolute path, `~` expanded."""
    return Path(os.path.expanduser(text(value, what))).absolute()


def whole(least: int, most: int) -> Read:
    """Return a reader of whole numbers from `least` to `most`."""

    def read(value: object, what: str) -> int:
        number = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
        if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
            raise SpecError(f"{what} is {value!r}: give a whole number from {least} to {most}")
        return number

    return read


def seconds(least: float) -> Read:
    """Return a reader of durations of at least `least` seconds: a number of seconds, or "500ms", "2min"."""

    def read(value: object, what: str) -> float:
        try:
            given = float(value) if isinstance(value, str) else value
        except ValueError:
            given = value
        found = parse_duration(given, what=what)  # type: ignore[arg-type]  # it refuses what is neither
        if not least <= found < math.inf:
            raise SpecError(f"{what} is {value!r}: give {least:g} seconds or more")
        return found

    return read


def size(value: object, what: str) -> int:
    """Return the bytes of `value`: a whole number of them, or "2GiB"."""
    given = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
    return parse_bytes(given, what=what)  # type: ignore[arg-type]  # it refuses what is neither


def switch(value: object, what: str) -> bool:
    """Return `value` as a truth value: true or false; in the environment also 1, 0, yes, no."""
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if isinstance(value, str):
        value = known.get(value.strip().lower(), value)
    if not isinstance(value, bool):
        raise SpecError(f"{what} is {value!r}: give true or false")
    return value


def one_of(*words: str) -> Read:
    """Return a reader of one of `words`."""

    def read(value: object, what: str) -> str:
        if value not in words:
            raise SpecError(f"{what} is {value!r}: give {' or '.join(words)}")
        return str(value)

    return read


def listed(value: object, what: str) -> tuple[str, ...]:
    """Return the texts of `value`: a list, or one text with commas between."""
    parts = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(part, str) for part in parts):
        raise SpecError(f'{what} is {value!r}: give strings, e.g. {what.split()[0]} = ["a", "b"]')
    return tuple(piece.strip() for part in parts for piece in str(part).split(",") if piece.strip())


def root_path(value: object, what: str) -> str:
    """Return the path of a proxy as links have it: with a slash before and none behind."""
    given = value if isinstance(value, str) else "?"
    found = "/" + given.strip("/") if given.strip("/") else ""
    if any(character in '?#\\"<> ' or not character.isprintable() for character in found) or not found.isascii():
        raise SpecError(f"{what} is {value!r}: give a URL path, e.g. /edge")
    return found


def networks(value: object, what: str) -> tuple[str, ...]:
    """Return addresses and networks, e.g. "10.0.0.0/8,::1"."""
    import ipaddress  # not at the top: a box starts its zygote before it needs this

    found = listed(value, what)
    for part in found:
        try:
            ipaddress.ip_network(part)
        except ValueError as error:
            raise SpecError(f"{what} has {part!r}: give addresses or networks, e.g. 10.0.0.0/8") from error
    return found


def grants(value: object, what: str) -> tuple[str, ...]:
    """Return grants of functions, each as `edgefn box allow` takes it: "watch device /dev/video0", say."""
    from edgefn_runtime.deployment.checks import permissions  # not at the top: a box without grants does not pay for it

    found = listed(value, what)
    try:
        permissions.standing(found)
    except InputError as error:
        raise SpecError(f"{what}: {error}") from error
    return found


def hosts(value: object, what: str) -> tuple[str, ...]:
    """Return names of hosts, e.g. "box.example,*.example"; `*` is any."""
    found = listed(value, what)
    for part in found:
        if not _HOST.fullmatch(part):
            raise SpecError(f"{what} has {part!r}: give names without a port, e.g. box.example, or *.example")
    return found


def origins(value: object, what: str) -> tuple[str, ...]:
    """Return origins as browsers send them, e.g. "https://app.example"; `*` is any."""
    found = tuple(part.rstrip("/").lower() for part in listed(value, what))
    for part in found:
        if not _ORIGIN.fullmatch(part):
            raise SpecError(f"{what} has {part!r}: give an origin, e.g. https://app.example, or * for all")
    return found


def layers(value: object, what: str) -> tuple[str, ...]:
    """Return names of layers of isolation."""
    from edgefn_runtime.workers.isolation import LAYERS

    found = listed(value, what)
    if unknown := [name for name in found if name not in LAYERS]:
        raise SpecError(f"{what} has {unknown[0]!r}: the layers are {', '.join(LAYERS)}")
    return found


def users(value: object, what: str) -> tuple[int, int]:
    """Return the first and the last number of a range of users, e.g. "70000-79999"."""
    first, _, last = value.partition("-") if isinstance(value, str) else ("", "", "")
    if not (first.strip().isdecimal() and last.strip().isdecimal() and 0 < int(first) <= int(last) < 2**32 - 1):
        raise SpecError(f"{what} is {value!r}: give the first and the last number, e.g. 70000-79999")
    return int(first), int(last)


OPTIONS: dict[str, Option] = {
    "home": Option(
        "home",
        path,
        "DIRECTORY",
        "~/.local/state/edgefn, for root /var/lib/edgefn",
        "The box's directory",
    ),
    "host": Option("host", text, "HOST", "127.0.0.1", "The address to listen on; 0.0.0.0 for all"),
    "port": Option("port", whole(0, MAX_PORT), "PORT", "8080", "The port to listen on; 0 takes a free one"),
    "fd": Option(
        "fd",
        whole(0, 2**20),
        "NUMBER",
        "none",
        "Listen on the socket that was passed as this descriptor",
        in_environment=False,
        in_file=False,
    ),
    "client_timeout": Option(
        "client_timeout_s",
        seconds(MIN_CLIENT_TIMEOUT_S),
        "SECONDS",
        "30",
        "Seconds that a client has to send a request, and to continue reading its answer",
    ),
    "memory": Option(
        "memory_bytes",
        size,
        "SIZE",
        "all but an eighth of the machine's",
        'Memory for all functions together, e.g. "2GiB"',
    ),
    "root_path": Option(
        "root_path",
        root_path,
        "PATH",
        "none",
        "The path prefix that a proxy strips, e.g. /edge; links begin with it",
    ),
    "tls": Option(
        "tls",
        one_of("auto"),
        "auto",
        "off",
        "Use TLS with a certificate that the box creates in its home; it prints the fingerprint",
    ),
    "tls_cert": Option("tls_cert", path, "FILE", "none", "Use TLS with this certificate, in PEM"),
    "tls_key": Option("tls_key", path, "FILE", "none", "The key of --tls-cert, in PEM"),
    "tls_client_ca": Option(
        "tls_client_ca", path, "FILE", "none", "Accept only clients with a certificate of this authority"
    ),
    "open": Option(
        "open",
        switch,
        "",
        "off",
        "Let callers beyond loopback call functions without a token",
        is_switch=True,
    ),
    "trusted_proxies": Option(
        "trusted_proxies",
        networks,
        "ADDRESSES",
        "127.0.0.0/8,::1",
        "Proxies whose X-Forwarded-Prefix, -Proto, -Host and -For are trusted",
        is_list=True,
    ),
    "idle_timeout": Option(
        "idle_timeout_s",
        seconds(MIN_CLIENT_TIMEOUT_S),
        "SECONDS",
        "75",
        "Seconds that a connection may be idle between two requests",
    ),
    "client_memory": Option(
        "client_memory_bytes",
        size,
        "SIZE",
        "a sixteenth of the machine's for bodies, an eighth for answers",
        'Memory for all request bodies together, e.g. "64MiB", and as much again for unread answers',
    ),
    "connections_per_address": Option(
        "connections_per_address",
        whole(1, 2**20),
        "NUMBER",
        "an eighth of all",
        "Connections allowed for one address, or for one client behind a trusted proxy",
    ),
    "allow_host": Option(
        "allow_hosts",
        hosts,
        "NAMES",
        "none",
        "A further host name that the box accepts, besides its addresses and own names; *.example for all below it",
        is_list=True,
    ),
    "allow_origin": Option(
        "allow_origins",
        origins,
        "ORIGINS",
        "none",
        "A web page's origin that may call the box, e.g. https://app.example",
        is_list=True,
    ),
    "grants": Option(
        "grants",
        grants,
        "TEXTS",
        "none",
        'A permission of a function beyond its sandbox, e.g. "watch network"',
        is_list=True,
    ),
    "dev": Option(
        "development",
        switch,
        "",
        "off",
        "Development mode, only on loopback: functions get the network and the devices that they ask for",
        is_switch=True,
        in_environment=False,
        in_file=False,
    ),
    "max_scale": Option("max_scale", whole(1, MAX_COUNT), "NUMBER", "100", "Instances that a function may have"),
    "max_queue": Option("max_queue", whole(0, MAX_COUNT), "NUMBER", "10000", "Requests that may wait for a function"),
    "max_body": Option("max_body_bytes", size, "SIZE", "1GiB", "The largest request body that a function may take"),
    "max_timeout": Option("max_timeout_s", seconds(0.001), "SECONDS", "3600", "The longest timeout of a function"),
    "max_concurrency": Option(
        "max_concurrency", whole(1, MAX_COUNT), "NUMBER", "1000", "Requests that an instance may serve at once"
    ),
    "max_models": Option("max_models", whole(0, MAX_COUNT), "NUMBER", "64", "Models that a function may have"),
    "max_answers": Option(
        "max_answers", whole(0, MAX_COUNT), "NUMBER", "64", "Sample requests with answers that a bundle may hold"
    ),
    "require_isolation": Option(
        "require_isolation",
        switch,
        "",
        "only as root",
        "Refuse deployments if namespaces, seccomp or the confinement of files is missing",
        is_switch=True,
    ),
    "allow_missing": Option(
        "allow_missing",
        layers,
        "LAYER",
        "none",
        "A layer of isolation that may be missing, e.g. namespaces in a container; repeatable",
        is_list=True,
    ),
    "uids": Option(
        "uids",
        users,
        "FIRST-LAST",
        "70000-79999, or 60578-61183 in a container of 65536 users",
        "The users that functions run as, if the box runs as root",
    ),
}
"""By name: the key of box.toml."""
