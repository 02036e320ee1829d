"""The box's secrets, sealed on the disk: credentials of registries and brokers, and keys, each by a name.

A file for each below the home's secrets/, mode 0600: JSON with the way it is sealed, and the time. Nothing here logs,
lists or returns a value but `open`, which is for the part of the box that needs it, at the moment it needs it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgefn.api.secrets import SecretInfo
from edgefn.errors import InputError
from edgefn_runtime import timestamps
from edgefn_runtime.store import ownership
from edgefn_runtime.store.disk import Disk, room_for, write_file
from edgefn_runtime.store.home import Home
from edgefn_runtime.store.sealing import CannotUnseal, KeyFile, Sealer, SystemdCreds

MAX_BYTES = 64 * 2**10
"""Enough for a key or a certificate; larger content belongs in a file."""

MAX_SECRETS = 200
DAMAGED = "damaged"
"""The sealer of a secret whose file is unreadable."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}", re.ASCII)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    sealed_by: str
    set_at: str
    sealed: bytes


class Vault:
    """The secrets in `folder`. Its methods read and write files and wait for a TPM: call them in threads."""

    def __init__(self, disk: Disk, folder: Path, sealers: Sequence[Sealer]) -> None:
        self._disk = disk
        self._folder = folder
        self._sealers = sealers
        self._changing = threading.Lock()

    @classmethod
    def of_home(cls, home: Home) -> Vault:
        """Return the secrets of a home; the key file, where one is needed, lies beside the home and not in it."""
        key_file = KeyFile(home.disk, home.keys / "secrets.key")
        return cls(home.disk, home.secrets, [SystemdCreds.with_tpm(), SystemdCreds.with_host_key(), key_file])

    def names(self) -> list[SecretInfo]:
        """Return the secrets, sorted by name, without values; a damaged one is marked DAMAGED."""
        told = [self._told(path.stem) for path in self._files()]
        return [kept for kept in told if kept is not None]

    def set(self, name: str, value: bytes) -> SecretInfo:
        """Store `value` as `name`, in place of an older value. Raises InputError, DiskFull, HomeError."""
        _check(name)
        if not 0 < len(value) <= MAX_BYTES:
            raise InputError(f"the value of {name} has {len(value)} bytes: a secret has 1 to {MAX_BYTES}")
        with self._changing:  # two at once would each make a key, and the first be sealed with the one that is lost
            return self._set(name, value)

    def _set(self, name: str, value: bytes) -> SecretInfo:
        files = self._files()
        if len(files) >= MAX_SECRETS and self._path(name) not in files:
            raise InputError(f"the box has the maximum of {MAX_SECRETS} secrets: remove one")
        with room_for(f"the secret {name}"):
            sealer, sealed = self._sealed(name, value)
            kept = _File(sealer.name, timestamps.now("seconds"), sealed)
            self._disk.make_folder(self._folder)
            ownership.claim_folder(self._folder)
            write_file(self._disk, self._path(name), msgspec.json.encode(kept))
        return SecretInfo(name, kept.sealed_by, kept.set_at)

    def remove(self, name: str) -> bool:
        """Forget `name`; return whether it was there."""
        _check(name)
        with self._changing:
            was_there = self._path(name).exists()
            self._disk.remove(self._path(name))
            if was_there:
                self._disk.sync_folder(self._folder)
            return was_there

    def open(self, name: str) -> bytes:
        """Return the secret. Raises InputError where there is none of that name, CannotUnseal."""
        _check(name)
        found = self._read(name)
        if found is None:
            raise InputError(f"this box has no secret {name}: set it with `edgefn secret set {name}`")
        for sealer in self._sealers:
            if sealer.name == found.sealed_by:
                return sealer.unseal(_label(name), found.sealed)
        raise CannotUnseal(
            f"the secret {name} is sealed by {found.sealed_by[:40]!r}, which this edgefn does not support: update "
            "edgefn here, or set the secret again with `edgefn secret set`"
        )

    def _sealed(self, name: str, value: bytes) -> tuple[Sealer, bytes]:
        """Seal with the first sealer that works here."""
        for sealer in self._sealers[:-1]:
            try:
                return sealer, sealer.seal(_label(name), value)
            except OSError:
                continue
        return self._sealers[-1], self._sealers[-1].seal(_label(name), value)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"))

    def _told(self, name: str) -> SecretInfo | None:
        try:
            found = self._read(name)
        except CannotUnseal:
            return SecretInfo(name, DAMAGED, "")
        return None if found is None else SecretInfo(name, found.sealed_by, found.set_at)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _read(self, name: str) -> _File | None:
        path = self._path(name)
        ownership.claim_file(path)
        try:
            return msgspec.json.decode(path.read_bytes(), type=_File)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CannotUnseal(f"{path} is damaged: set the secret {name} again with `edgefn secret set`") from error


def _label(name: str) -> str:
    return f"edgefn.{name}"


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name[:80]!r} is not a valid secret name: use a-z, 0-9, - and _, a letter first", field="name"
        )
