"""Which box a verb talks to, by which way, and whose token it sends.

A token belongs to one box. It comes from the login to the box's URL, or from EDGEFN_TOKEN where EDGEFN_BOX has that
very URL; a name or a URL in an edgefn.toml, which may come from anybody, finds a token only where this user logged in.
The box of this user on this machine is spoken to by its own socket, with no token at all.

Reads the environment, edgefn.toml and files; opens no connection.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn.errors import SpecError, Unauthorized
from edgefn_cli.boxes import addresses
from edgefn_cli.boxes.certificate import Trust
from edgefn_cli.boxes.local import AnnouncedBox
from edgefn_cli.boxes.logins import Login, Logins
from edgefn_cli.environment import BOX, HOME, INSECURE, TOKEN

if TYPE_CHECKING:
    from edgefn.project import Project

DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class FoundToken:
    """A token of a box, and where it was found, for the error message when the box refuses it."""

    value: str = field(repr=False)
    source: str


@dataclass(frozen=True)
class Address:
    """A box's URL without a trailing slash, and the credentials for it.

    `socket` is the box's own, on this machine: only its owner can open it, and needs no token.
    """

    url: str
    token: FoundToken | None = None
    socket: Path | None = None
    trust: Trust = field(default_factory=Trust)

    @property
    def is_local(self) -> bool:
        """Tell whether the box is reached without leaving this machine."""
        return self.socket is not None or addresses.is_loopback(self.url)

    def advice(self) -> str:
        """Return advice for a box that wants a token and got none, or refuses the one that was sent."""
        if self.token is not None:
            return f"the token sent to {self.url} came from {self.token.source}"
        told = f"create a token there with `edgefn box token create`, then log in here with `edgefn login {self.url}`"
        if self.is_local:
            told = f"run the command as the box's user (set {HOME} if the box's home is not {home()}), or {told}"
        ignored = f"; {TOKEN} is sent only to the URL in {BOX}" if os.environ.get(TOKEN) else ""
        return f"no token was sent to {self.url}: {told}{ignored}"


def find(box: str | None, project: Project) -> Address:
    """Return the address of `box` (--box, EDGEFN_BOX), else of the project's default box or the local one.

    Raises SpecError for a text that is neither a URL nor the name of a box, and for a token that would go in clear.
    """
    if box and "://" in box:
        return _at(addresses.checked(box), _from_environment(box))
    if box and box == os.environ.get(BOX) and os.environ.get(TOKEN):
        raise SpecError(f"{TOKEN} belongs to one box: give {BOX} its URL, not the name {box!r}")
    if name := box or project.default_box:
        return _named(name, project)
    local = AnnouncedBox.of(home())
    return Address(local.url, socket=local.socket) if local is not None else _at(DEFAULT_URL)


def home() -> Path:
    """Return EDGEFN_HOME, else the directory a box takes by default."""
    from edgefn_runtime.settings import default_home

    return default_home()


def read_token(folder: Path) -> FoundToken:
    """Read the first token of the box whose home is `folder`. Raises Unauthorized, with advice."""
    try:
        text = (folder / "token").read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        raise Unauthorized(
            f"{folder} has no token: no box has run with this home. Start one with `edgefn box run`, or set {HOME} to "
            "the box's home"
        ) from None
    except OSError as error:
        raise Unauthorized(f"{folder / 'token'} cannot be read: {error.strerror}") from error
    return printable(FoundToken(text, str(folder / "token")))


def printable(token: FoundToken) -> FoundToken:
    """Return `token`. Raises Unauthorized when it cannot be one.

    httpx would fail on such a text with a UnicodeError.
    """
    if not token.value or not token.value.isascii() or not token.value.isprintable() or " " in token.value:
        raise Unauthorized(f"{token.source} is not a token: it is empty or has characters that a token cannot have")
    return token


def _from_environment(url: str) -> FoundToken | None:
    """Return EDGEFN_TOKEN where it belongs to `url`: EDGEFN_BOX has the URL, so one person chose both."""
    text = os.environ.get(TOKEN, "").strip()
    return printable(FoundToken(text, TOKEN)) if text and os.environ.get(BOX) == url else None


def _at(url: str, token: FoundToken | None = None) -> Address:
    """Return the address of the box at `url`; its token is `token`, else that of the login to this URL."""
    if token is not None:
        return _guarded(Address(url, token), insecure=False)
    local = AnnouncedBox.of(home())
    if local is not None and addresses.leads_to(url, local.url):
        return Address(url, socket=local.socket)
    login = Logins.of_user().at(url)
    return _of(login) if login is not None else Address(url)


def _named(name: str, project: Project) -> Address:
    """Return the address of the box `name` of edgefn.toml, or of the login of that name.

    Never guesses between two.
    """
    url, logins = project.boxes.get(name, ""), Logins.of_user()
    login = logins.named(name)
    if url and login is not None and addresses.canonical(url) != addresses.canonical(login.url):
        raise SpecError(
            f"the box {name!r} is {url} in {project.file} but {login.url} in your logins: give --box the URL"
        )
    if url:
        return _at(url)
    if login is not None:
        return _of(login)
    known = ", ".join(sorted({*project.boxes, *(one.name for one in logins.all())})) or "none"
    where = project.file or "edgefn.toml"
    raise SpecError(
        f"no box {name!r} in {where} or in your logins (known: {known}); add it with `edgefn login URL --name {name}`"
    )


def _of(login: Login) -> Address:
    trust = Trust(login.certificate, login.client_certificate, login.client_key)
    token = printable(FoundToken(login.token, f"the login {login.name!r}"))
    return _guarded(Address(login.url, token, trust=trust), insecure=login.insecure)


def _guarded(address: Address, *, insecure: bool) -> Address:
    """Return `address`. Raises SpecError where its token would cross a network in clear without consent."""
    if addresses.is_clear(address.url) and not insecure and os.environ.get(INSECURE, "0") in ("", "0"):
        raise SpecError(
            f"the token for {address.url} would cross the network unencrypted: start the box with --tls and use an "
            f"https address, or allow it with `edgefn --insecure …` ({INSECURE}=1)"
        )
    return address
