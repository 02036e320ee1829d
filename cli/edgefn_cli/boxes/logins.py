"""The boxes that this user logged in to: name, URL, certificate and token of each, in one file of the user's own.

The file is `edgefn/logins.json` below `XDG_CONFIG_HOME` (default `~/.config`), mode 0600. A file that others may read
is refused: its tokens are no longer secret. It must never talk to a box.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from edgefn.errors import InputError, SpecError
from edgefn.system.durable import replace_file
from edgefn_cli.boxes.addresses import canonical

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_OTHERS = 0o077


class Login(msgspec.Struct, frozen=True):
    """A box by name, and the token that it and no other box gets.

    `certificate` is the PEM text of the box's own certificate where it is pinned; else an authority vouches for it.
    `client_certificate` and `client_key` are files, for a box that wants its clients to have a certificate.
    """

    name: str
    url: str
    token: str
    fingerprint: str = ""
    certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""
    insecure: bool = False


class Logins:
    """The logins in `file`, which need not exist."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @classmethod
    def of_user(cls) -> Logins:
        """Return the logins of the current user."""
        config = os.environ.get("XDG_CONFIG_HOME")
        return cls((Path(config) if config else Path.home() / ".config") / "edgefn" / "logins.json")

    def all(self) -> list[Login]:
        """Return each login, sorted by name. Raises SpecError for a file that is damaged or open to others."""
        try:
            with self.file.open("rb") as file:
                about = os.fstat(file.fileno())
                if about.st_mode & _OTHERS or about.st_uid not in (os.geteuid(), 0):
                    raise SpecError(
                        f"{self.file} holds tokens and other users can read it: run `chmod 600 {self.file}` as its "
                        "owner, and rotate the tokens if somebody may have read them"
                    )
                text = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SpecError(f"{self.file} cannot be read: {error.strerror}") from error
        try:
            return sorted(msgspec.json.decode(text, type=list[Login]), key=lambda login: login.name)
        except msgspec.DecodeError as error:
            raise SpecError(f"{self.file} is damaged ({error}): remove it, and log in again") from error

    def named(self, name: str) -> Login | None:
        """Return the login of that name."""
        return next((login for login in self.all() if login.name == name), None)

    def at(self, url: str) -> Login | None:
        """Return the login to the box at `url`, in any spelling of the URL.

        Another scheme or port is another box.
        """
        wanted = canonical(url)
        return next((login for login in self.all() if canonical(login.url) == wanted), None)

    def add(self, login: Login) -> None:
        """Keep `login`; one of that name, or to that URL, is replaced."""
        if not NAME.fullmatch(login.name):
            raise InputError(
                f"{login.name!r} is not a valid box name: use letters, digits, '.', '_' and '-', at most 63 characters"
            )
        others = [one for one in self.all() if one.name != login.name and canonical(one.url) != canonical(login.url)]
        self._write([*others, login])

    def remove(self, name: str) -> bool:
        """Forget the login `name`; False where there is none."""
        known = self.all()
        kept = [login for login in known if login.name != name]
        if len(kept) < len(known):
            self._write(kept)
        return len(kept) < len(known)

    def _write(self, logins: list[Login]) -> None:
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(self.file, [msgspec.json.format(msgspec.json.encode(logins)) + b"\n"], mode=0o600)
        except OSError as error:
            raise InputError(f"{self.file} cannot be written: {error.strerror}") from error
