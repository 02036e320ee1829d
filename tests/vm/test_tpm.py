"""The secrets of the unit's box are sealed by the machine's TPM, and open with no other."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from edgefn_runtime.store.disk import OsDisk
from edgefn_runtime.store.sealing import CannotUnseal, KeyFile, SystemdCreds
from edgefn_runtime.store.vault import Vault
from tests.vm.unit import HOME, edgefn

pytestmark = pytest.mark.vm
KEYS = (HOME, Path("/var/lib/edgefn-keys"), Path("/var/lib/systemd"))
SECRET = "correct horse battery staple"


def answered(*words: str, given: str = "") -> str:
    done = edgefn(*words, given=given)
    assert done.returncode == 0, done.stderr
    return done.stdout


def vault() -> Vault:
    """The secrets of the unit's box, seen by root beside it."""
    key_file = KeyFile(OsDisk(), Path("/var/lib/edgefn-keys/secrets.key"))
    return Vault(OsDisk(), HOME / "secrets", [SystemdCreds.with_tpm(), SystemdCreds.with_host_key(), key_file])


@pytest.mark.parametrize("host_key", [False, True], ids=["TPM alone", "TPM and a key on the disk"])
def test_a_disk_without_its_tpm_opens_no_secret(host_key: bool) -> None:
    """All that lies on the disk is there, the TPM is as another machine's: told, and a new secret is sealed by it."""
    Path("/var/lib/systemd/credential.secret").unlink(missing_ok=True)
    if host_key:
        subprocess.run(["systemd-creds", "setup"], check=True)
    sealed = json.loads(answered("secret", "set", "registry", "--json", given=SECRET))
    assert sealed["sealed_by"] == "tpm"
    (listed,) = json.loads(answered("secret", "list", "--json"))["secrets"]
    assert listed == sealed
    assert vault().open("registry") == SECRET.encode()
    assert not any(
        SECRET.encode() in path.read_bytes() for folder in KEYS for path in folder.rglob("*") if path.is_file()
    )
    subprocess.run(["tpm2_clear"], check=True)
    with pytest.raises(CannotUnseal, match="set it again with `edgefn secret set`"):
        vault().open("registry")
    answered("secret", "set", "registry", given=SECRET)
    assert vault().open("registry") == SECRET.encode()
