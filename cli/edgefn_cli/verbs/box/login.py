"""`edgefn login URL`: a box that this user knows, with the token that it and no other box gets."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from edgefn.errors import InputError, SpecError
from edgefn_cli.display import output
from edgefn_cli.options import JsonOption

if TYPE_CHECKING:
    from rich.table import Table

    from edgefn.api.tokens import CallerInfo
    from edgefn_cli.boxes.certificate import Trust
    from edgefn_cli.boxes.logins import Login


def login(
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="The box's address, preferably https://HOST:PORT.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The box's name for --box. Default: the URL's host.")
    ] = None,
    fingerprint: Annotated[
        str | None,
        typer.Option("--fingerprint", metavar="SHA256", help="Trust only the certificate with this fingerprint."),
    ] = None,
    client_cert: Annotated[
        Path | None,
        typer.Option(
            "--client-cert", metavar="FILE", help="Your certificate, if the box requires one from its clients."
        ),
    ] = None,
    client_key: Annotated[
        Path | None, typer.Option("--client-key", metavar="FILE", help="The key of --client-cert.")
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Send the token over plain http, where others on the network can read it."),
    ] = False,
    show: Annotated[bool, typer.Option("--list", help="Show the boxes that you are logged in to.")] = False,
    remove: Annotated[
        str | None,
        typer.Option("--remove", metavar="NAME", help="Forget a box and its token. Revoke the token on the box, too."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Log in to a box: store its URL, its certificate and a token in a file that only you can read.

    The token is read from a prompt or from stdin. If no authority signed the certificate, its fingerprint is shown:
    compare it with the one that the box printed when it started.

    Example: edgefn login https://line-3:8080 --name line-3
    """
    from edgefn_cli.boxes.logins import Logins

    logins = Logins.of_user()
    if sum((url is not None, show, remove is not None)) != 1:
        raise InputError("give a URL, --list or --remove NAME")
    if show:
        _show(logins.all(), as_json)
    elif remove is not None:
        if not logins.remove(remove):
            raise InputError(f"you are not logged in to a box {remove!r}: see `edgefn login --list`")
        output.result({"name": remove, "removed": True}) if as_json else output.say(f"forgot {remove} and its token")
    else:
        assert url is not None
        made = _login(url, name, _client(client_cert, client_key), fingerprint, insecure=insecure)
        caller = _proved(made)
        logins.add(made)
        known = {"name": made.name, "url": made.url, "fingerprint": made.fingerprint}
        told = {**known, "token": caller.name, "scopes": caller.scopes, "file": str(logins.file)}
        output.result(told) if as_json else output.say(_words(made, caller))


def _login(url: str, name: str | None, trust: Trust, fingerprint: str | None, *, insecure: bool) -> Login:
    """Return the login to store. The token is asked for last, after the box's certificate is known."""
    from edgefn_cli.boxes import addresses
    from edgefn_cli.boxes.certificate import fingerprint as fingerprint_of
    from edgefn_cli.boxes.logins import Login

    url = addresses.checked(url, "URL")
    if url.startswith("https:"):
        trust = replace(trust, certificate=_pinned(url, fingerprint))
    elif fingerprint:
        raise SpecError(f"{url} has no certificate: leave out --fingerprint, or start the box with --tls and use https")
    elif addresses.is_clear(url) and not insecure:
        raise SpecError(
            f"the token for {url} would cross the network unencrypted: start the box with --tls and use https, or "
            "give --insecure"
        )
    return Login(
        name=name or str(urlsplit(url).hostname),
        url=url,
        token=_token(url),
        fingerprint=fingerprint_of(trust.certificate) if trust.certificate else "",
        certificate=trust.certificate,
        client_certificate=trust.client_certificate,
        client_key=trust.client_key,
        insecure=insecure,
    )


def _client(certificate: Path | None, key: Path | None) -> Trust:
    from edgefn_cli.boxes.certificate import Trust, read_file

    if key and not certificate:
        raise InputError("--client-key goes with --client-cert")
    return Trust(
        client_certificate=read_file(certificate, "--client-cert") if certificate else "",
        client_key=read_file(key, "--client-key") if key else "",
    )


def _pinned(url: str, expected: str | None) -> str:
    """Return the certificate to trust alone, or "" where a public authority vouches for the box.

    Raises SpecError where it is not the expected one, and typer.Abort where the user does not confirm it.
    """
    from edgefn_cli.boxes import certificate

    if expected is None and certificate.is_trusted(url):
        return ""
    shown = certificate.fetch(url)
    found = certificate.fingerprint(shown)
    if expected is None:
        output.say(f"No authority that this machine trusts has signed the certificate of {url}. Its fingerprint is")
        output.say(f"  {found}")
        if not sys.stdin.isatty():
            raise SpecError(
                "cannot ask you to compare it without a terminal: give --fingerprint, which the box prints when "
                "it starts"
            )
        output.confirm("Is it the one that the box printed when it started?")
    elif found != certificate.normalised(expected):
        raise SpecError(
            f"{url} has the certificate {found}, not {certificate.normalised(expected)}: it is another box, an "
            "attacker between you and the box, or the box has a new certificate"
        )
    return shown


def _token(url: str) -> str:
    """Return the token that the user types, without an echo, or that stdin has. Raises Unauthorized."""
    import getpass

    from edgefn_cli.boxes.discovery import FoundToken, printable

    text = getpass.getpass(f"Token for {url}: ") if sys.stdin.isatty() else sys.stdin.readline()
    return printable(FoundToken(text.strip(), "what you gave")).value


def _proved(login: Login) -> CallerInfo:
    """Return the token's name and scopes from the box. Raises the error that the box refuses it with."""
    from edgefn_cli.boxes.certificate import Trust
    from edgefn_cli.boxes.client import Client
    from edgefn_cli.boxes.discovery import Address, FoundToken

    trust = Trust(login.certificate, login.client_certificate, login.client_key)
    with Client(Address(login.url, FoundToken(login.token, "what you gave"), trust=trust)) as client:
        return client.caller()


def _words(login: Login, caller: CallerInfo) -> str:
    return (
        f"logged in to {login.url} as {caller.name} ({', '.join(caller.scopes)}): "
        f"reach it with --box {login.name}, or name it under [boxes] of edgefn.toml"
    )


def _show(logins: list[Login], as_json: bool) -> None:
    """Show each login, its token left out."""
    if as_json:
        members = ("name", "url", "fingerprint", "insecure")
        output.result({"logins": [{member: getattr(login, member) for member in members} for login in logins]})
    elif logins:
        output.draw(_table(logins))
    else:
        output.say("you are not logged in to any box: log in with `edgefn login URL`")


def _table(logins: list[Login]) -> Table:
    from edgefn_cli.display.tables import RowTable

    table = RowTable("NAME", "URL", "CERTIFICATE")
    for login in logins:
        trusted = "by an authority" if login.url.startswith("https:") else "none"
        table.add(login.name, login.url, login.fingerprint or trusted)
    return table
