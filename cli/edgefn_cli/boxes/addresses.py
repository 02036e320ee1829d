"""URLs of boxes: compared in one form, and told apart by whether they leave this machine. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from edgefn.errors import SpecError

_PORTS = {"http": 80, "https": 443}
_EVERY = ("0.0.0.0", "::")


def checked(url: str, what: str = "--box") -> str:
    """Return `url` without its trailing slash. Raises SpecError unless it is http(s)://host[:port][/path]."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or parts.username:
        raise SpecError(f"{what} is {url!r}, which is not a URL: write one such as http://192.168.1.20:8080")
    return url.rstrip("/")


def canonical(url: str) -> str:
    """Return `url` in the one form that two spellings of an address share: lower case, with its port."""
    parts = urlsplit(url)
    port, host = parts.port or _PORTS.get(parts.scheme, 0), parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}{parts.path.rstrip('/')}"


def is_loopback(url: str) -> bool:
    """Tell whether `url` leads to this machine's loopback interface."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_clear(url: str) -> bool:
    """Tell whether data sent to `url` crosses a network unencrypted."""
    return not url.startswith("https:") and not is_loopback(url)


def leads_to(url: str, announced: str) -> bool:
    """Tell whether `url` is the address that a box of this machine `announced`.

    A loopback address with that port is the same.
    """
    ours, theirs = urlsplit(canonical(url)), urlsplit(canonical(announced))
    if ours == theirs:
        return True
    same = (ours.scheme, ours.port, ours.path) == (theirs.scheme, theirs.port, theirs.path)
    return same and is_loopback(url) and (theirs.hostname in _EVERY or is_loopback(announced))
