"""How a secret is encrypted on the disk, so that only this machine can read it again.

    tpm       systemd-creds(1) with the machine's TPM: its disk in another machine opens nothing
    systemd   systemd-creds(1) with the machine's own key, a file that root alone reads
    key file  AES-256-GCM with a key in a file of its own, outside the home and its backups

All bind a secret to its name: one cannot be put in the place of another. A secret is never in an argument, the
environment or a message; it goes through pipes.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from edgefn.errors import HomeError
from edgefn_runtime.store import ownership
from edgefn_runtime.store.disk import Disk, write_file

_PATIENCE_S = 20.0
"""A TPM takes up to some seconds for a seal."""

_KEY_BYTES = 32
_NONCE_BYTES = 12


class CannotUnseal(HomeError):
    """A secret does not open: its key is another one or gone (a backup on another machine, say), or it was changed."""


class Sealer(Protocol):
    """One way to seal a secret; `name` is stored with each secret that it sealed."""

    name: str

    def seal(self, label: str, secret: bytes) -> bytes:
        """Return the encrypted secret. Raises OSError where this way is not available here."""

    def unseal(self, label: str, sealed: bytes) -> bytes:
        """Return the secret. Raises CannotUnseal."""


class SystemdCreds:
    """Seals with systemd-creds, which only root can use, and the first of `keys` that this machine has."""

    def __init__(self, name: str, keys: Sequence[str]) -> None:
        self.name = name
        self._keys = keys

    @classmethod
    def with_tpm(cls) -> SystemdCreds:
        """Return a sealer whose secrets open only with this machine's TPM.

        Where the machine's disk has a key, they need both. systemd-creds does not choose by itself: it makes a key on
        the disk before it looks for a TPM, and a service may not write there.
        """
        return cls("tpm", ("host+tpm2", "tpm2"))

    @classmethod
    def with_host_key(cls) -> SystemdCreds:
        """Return a sealer with the key of /var/lib/systemd/credential.secret."""
        return cls("systemd", ("host",))

    def seal(self, label: str, secret: bytes) -> bytes:
        """Encrypt a secret, as `Sealer.seal`."""
        program = shutil.which("systemd-creds")
        if program is None or os.geteuid() != 0:
            raise FileNotFoundError("systemd-creds")
        for key in self._keys:
            done = _run([program, "encrypt", f"--name={label}", f"--with-key={key}", "-", "-"], secret)
            if done.returncode == 0 and done.stdout:
                return done.stdout
        raise OSError(0, "systemd-creds has no key", program)

    def unseal(self, label: str, sealed: bytes) -> bytes:
        """Decrypt a secret, as `Sealer.unseal`."""
        program = shutil.which("systemd-creds")
        done = program and _run([program, "decrypt", f"--name={label}", "-", "-"], sealed)
        if not done or done.returncode != 0:
            raise CannotUnseal(f"systemd-creds of this machine cannot open the secret {label}: {_AGAIN}")
        return done.stdout


class KeyFile:
    """Seals with a key in the file `path`, which is made when it is first needed, for its owner alone."""

    name = "key file"

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._path = path

    def seal(self, label: str, secret: bytes) -> bytes:
        """Encrypt a secret, as `Sealer.seal`."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # a box without secrets does not pay for it

        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._key() or self._new_key()).encrypt(nonce, secret, label.encode())

    def unseal(self, label: str, sealed: bytes) -> bytes:
        """Decrypt a secret, as `Sealer.unseal`."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._key()
        if key is None:
            raise CannotUnseal(f"the key of the secret {label}, {self._path}, is missing: restore it, or {_AGAIN}")
        try:
            return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], label.encode())
        except (InvalidTag, ValueError):
            raise CannotUnseal(f"the key {self._path} does not open the secret {label}: {_AGAIN}") from None

    def _key(self) -> bytes | None:
        ownership.claim_file(self._path)
        try:
            key = self._path.read_bytes()
        except FileNotFoundError:
            return None
        if len(key) != _KEY_BYTES:
            raise CannotUnseal(f"{self._path} is not a key: remove it, and set the secrets again")
        return key

    def _new_key(self) -> bytes:
        self._disk.make_folder(self._path.parent)
        ownership.claim_folder(self._path.parent)
        key = secrets.token_bytes(_KEY_BYTES)
        write_file(self._disk, self._path, key)
        return key


_AGAIN = "set it again with `edgefn secret set`"


def _run(command: list[str], given: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, check=False, input=given, capture_output=True, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        raise OSError(0, "it does not answer", command[0]) from error
