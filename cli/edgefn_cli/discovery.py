"""Which box a verb talks to, and with whose token.

Reads the environment, edgefn.toml and a token file; opens no connection. A token is read only when the admin
API is about to be called, and never sent to a box that it does not belong to by accident: a token file is taken
for boxes on this machine only.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edgefn.errors import SpecError, Unauthorized

if TYPE_CHECKING:
    from edgefn.project import Project

DEFAULT_URL = "http://127.0.0.1:8080"
TOKEN = "EDGEFN_TOKEN"
HOME = "EDGEFN_HOME"


@dataclass(frozen=True)
class Token:
    """A box's admin token, and where it was found, for the error message when the box refuses it."""

    value: str
    source: str


@dataclass(frozen=True)
class Address:
    """A box's URL without a trailing slash; `home` is where its token lies when we started it ourselves."""

    url: str
    home: Path | None = None

    @property
    def is_local(self) -> bool:
        """True when the box listens on this machine's loopback interface."""
        return _is_loopback(urlsplit(self.url).hostname or "")

    def token(self) -> Token:
        """EDGEFN_TOKEN, else the token file of the home directory. Raises Unauthorized saying what to set."""
        if self.home is not None:
            return read_token(self.home)
        if text := os.environ.get(TOKEN, "").strip():
            return _printable(Token(text, TOKEN))
        if not self.is_local:
            advice = f"set {TOKEN} to what `edgefn box token` prints there"
            raise Unauthorized(f"no token for the box at {self.url}: {advice}")
        return read_token(home())


def find(box: str | None, project: Project) -> Address:
    """The address for `--box` / EDGEFN_BOX `box`, else of the project's default box, else of a local one."""
    if box and "://" in box:
        return Address(_checked(box))
    return Address(project.box_url(box or "") or DEFAULT_URL)


def home() -> Path:
    """EDGEFN_HOME, else the directory a box takes by default."""
    from edgefn_runtime.settings import default_home

    return default_home()


def read_token(folder: Path) -> Token:
    """The token of the box whose home is `folder`. Raises Unauthorized saying how there comes to be one."""
    try:
        text = (folder / "token").read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        raise Unauthorized(
            f"{folder} has no token: no box has run with this home. Start one with `edgefn box run`, "
            f"or set {HOME} to the home of the box, or {TOKEN}"
        ) from None
    except OSError as error:
        raise Unauthorized(f"{folder / 'token'} cannot be read ({error.strerror}): set {TOKEN}") from error
    return _printable(Token(text, str(folder / "token")))


def _printable(token: Token) -> Token:
    """`token`, or Unauthorized when it cannot be a token: httpx would fail on it with a UnicodeError."""
    if not token.value or not token.value.isascii() or not token.value.isprintable():
        raise Unauthorized(f"{token.source} holds no token: it is empty or has characters that no token has")
    return token


def _checked(url: str) -> str:
    """`url` without its trailing slash. Raises SpecError unless it is http(s)://host[:port][/path]."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or parts.username:
        raise SpecError(f"--box is {url!r}: write a URL such as http://192.168.1.20:8080")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
