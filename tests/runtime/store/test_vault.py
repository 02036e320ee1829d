"""The box's secrets come back as they were set, on this machine alone, and are nowhere to be read on its disk."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.errors import DiskFull, HomeError, InputError
from edgefn_runtime.store.disk import OsDisk
from edgefn_runtime.store.sealing import CannotUnseal, KeyFile, SystemdCreds
from edgefn_runtime.store.vault import DAMAGED, MAX_BYTES, MAX_SECRETS, Vault
from tests.runtime.store.faults import Fault, FaultyDisk, PowerCut

SECRET = b"correct horse battery staple"


def vault(folder: Path) -> Vault:
    """One with a key file, as a box has it that is not root."""
    return Vault(OsDisk(), folder / "home" / "secrets", [KeyFile(OsDisk(), folder / "keys" / "secrets.key")])


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_secret_comes_back_and_is_not_on_the_disk(tmp_path: Path) -> None:
    """Neither in its file nor in the key's; both are 0600 in folders of 0700."""
    vault(tmp_path).set("registry", SECRET)
    assert vault(tmp_path).open("registry") == SECRET
    assert SECRET not in everything(tmp_path)
    for path in (tmp_path / "home" / "secrets", tmp_path / "keys"):
        assert path.stat().st_mode & 0o777 == 0o700
        assert [one.stat().st_mode & 0o777 for one in path.iterdir()] == [0o600]


def test_what_is_told_of_it_has_no_value(tmp_path: Path) -> None:
    """Name, how, since when; a second value takes the place of the first, a removed one is gone."""
    kept = vault(tmp_path).set("registry", b"first")
    vault(tmp_path).set("registry", SECRET)
    (listed,) = vault(tmp_path).names()
    assert (listed.name, listed.sealed_by) == (kept.name, "key file")
    assert SECRET not in repr((kept, listed)).encode()
    assert vault(tmp_path).remove("registry")
    assert vault(tmp_path).names() == []
    assert not vault(tmp_path).remove("registry")


def test_without_its_key_a_home_has_no_secret(tmp_path: Path) -> None:
    """A backup of the home alone, and a home beside another key."""
    vault(tmp_path).set("registry", SECRET)
    shutil.move(tmp_path / "keys", tmp_path / "elsewhere")
    with pytest.raises(CannotUnseal, match="is missing: restore it, or set it again with"):
        vault(tmp_path).open("registry")
    vault(tmp_path).set("broker", SECRET)
    with pytest.raises(CannotUnseal, match="does not open"):
        vault(tmp_path).open("registry")


def test_one_secret_cannot_be_put_in_the_place_of_another(tmp_path: Path) -> None:
    """Who may write the home's files cannot make the box send a signing key where it sends a password."""
    vault(tmp_path).set("signing-key", SECRET)
    vault(tmp_path).set("broker", b"password")
    folder = tmp_path / "home" / "secrets"
    shutil.copy(folder / "signing-key.json", folder / "broker.json")
    with pytest.raises(CannotUnseal, match=r"does not open the secret edgefn\.broker"):
        vault(tmp_path).open("broker")


@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_any_changed_byte_is_an_error(tmp_path_factory: pytest.TempPathFactory, position: int, flip: int) -> None:
    """It opens as it was set, or with an error that says what to do: nothing in between."""
    folder = tmp_path_factory.mktemp("vault")
    vault(folder).set("registry", SECRET)
    path = folder / "home" / "secrets" / "registry.json"
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= flip
    path.write_bytes(data)
    with contextlib.suppress(CannotUnseal):
        assert vault(folder).open("registry") == SECRET


@pytest.mark.parametrize("name", ["", "../token", "A", "a/b", "a" * 64, "a\n", ".hidden", "\ud800"])
@pytest.mark.parametrize("deed", [lambda v, n: v.set(n, b"x"), Vault.open, Vault.remove], ids=["set", "open", "remove"])
def test_a_name_is_a_name(tmp_path: Path, name: str, deed: Callable[[Vault, str], object]) -> None:
    """No path leads out of the folder."""
    with pytest.raises(InputError, match="is not a valid secret name"):
        deed(vault(tmp_path), name)


def test_size_and_number_are_bounded(tmp_path: Path) -> None:
    """An empty one, one over 64 KiB, and one more than there may be."""
    kept = vault(tmp_path)
    for value in (b"", b"x" * (MAX_BYTES + 1)):
        with pytest.raises(InputError, match="a secret has 1 to 65536"):
            kept.set("registry", value)
    kept.set("registry", b"x" * MAX_BYTES)
    for number in range(MAX_SECRETS - 1):
        shutil.copy(tmp_path / "home" / "secrets" / "registry.json", tmp_path / "home" / "secrets" / f"s{number}.json")
    with pytest.raises(InputError, match="maximum of 200 secrets"):
        kept.set("one-more", b"x")
    kept.set("registry", b"y")


def test_secrets_that_are_set_at_once_all_open(tmp_path: Path) -> None:
    """The first ones, too: there is one key, and it sealed all of them."""
    kept, together = vault(tmp_path), threading.Barrier(8)

    def set_one(name: str) -> None:
        together.wait(10)
        kept.set(name, name.encode())

    names = [f"s{number}" for number in range(8)]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(set_one, names))
    assert [kept.open(name) for name in names] == [name.encode() for name in names]


def test_a_damaged_one_harms_no_other(tmp_path: Path) -> None:
    """A bad block in its file: it is listed as what it is, and set again; others are set and opened meanwhile."""
    kept = vault(tmp_path)
    kept.set("registry", SECRET)
    kept.set("broker", SECRET)
    (tmp_path / "home" / "secrets" / "registry.json").write_bytes(b"\0" * 100)
    with pytest.raises(CannotUnseal, match="is damaged: set the secret registry again"):
        kept.open("registry")
    assert [(one.name, one.sealed_by) for one in kept.names()] == [("broker", "key file"), ("registry", DAMAGED)]
    kept.set("signing-key", SECRET)
    kept.set("registry", SECRET)
    assert {kept.open(name) for name in ("broker", "registry", "signing-key")} == {SECRET}


@pytest.mark.parametrize("fault", ["full", "cut before", "cut after"])
@pytest.mark.parametrize("before", [b"", b"before"], ids=["first", "replaced"])
def test_a_secret_is_set_or_as_it_was_at_every_operation(tmp_path: Path, fault: Fault, before: bytes) -> None:
    """The disk is full, or power is cut: it opens with the one value or the other, and the next try succeeds."""
    for at in range(1, 40):
        folder, disk = tmp_path / str(at), FaultyDisk()
        if before:
            vault(folder).set("registry", before)
        key = KeyFile(disk, folder / "keys" / "secrets.key")
        disk.arm(at, fault)
        try:
            Vault(disk, folder / "home" / "secrets", [key]).set("registry", SECRET)
        except (PowerCut, DiskFull):
            is_set = False
        else:
            is_set = True
        names = [one.name for one in vault(folder).names()]
        assert names == ["registry"] if before or is_set else names in ([], ["registry"])
        if names:
            assert vault(folder).open("registry") in ({SECRET} if is_set else {SECRET, before})
        vault(folder).set("registry", SECRET)
        assert vault(folder).open("registry") == SECRET
        if len(disk.operations) < at:
            return
    pytest.fail("a secret takes more than 40 operations")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")
def test_a_key_of_another_user_is_refused(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    """Who owns the key could read what will be sealed with it. The error does not have the value."""
    vault(tmp_path).set("registry", SECRET)
    os.chown(tmp_path / "keys" / "secrets.key", 65_534, 65_534)
    with pytest.raises(HomeError, match="belongs to") as caught:
        vault(tmp_path).set("broker", SECRET)
    assert SECRET.decode() not in told(caught.value, log)


def test_no_error_of_a_full_disk_has_the_value(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    """Whichever operation it meets: neither the error, nor its causes, nor a record that is logged on the way."""
    errors = []
    for at in range(1, 40):
        folder, disk = tmp_path / str(at), FaultyDisk()
        disk.arm(at, "full")
        try:
            Vault(disk, folder / "home", [KeyFile(disk, folder / "keys" / "secrets.key")]).set("registry", SECRET)
        except DiskFull as error:
            errors.append(told(error, log))
        if len(disk.operations) < at:
            break
    assert len(errors) > 5
    assert all("No space left" in text and SECRET.decode() not in text for text in errors)


TALKS = 'given=$(cat); echo "cannot seal $given"; echo "cannot seal $given" >&2; '


@pytest.mark.parametrize("sealer", [SystemdCreds.with_tpm, SystemdCreds.with_host_key], ids=["TPM", "host key"])
@pytest.mark.parametrize("ends", ["exit 1", "exec sleep 60"], ids=["fails", "hangs"])
def test_no_error_of_systemd_creds_has_the_value(
    tmp_path: Path,
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    ends: str,
    sealer: Callable[[], SystemdCreds],
) -> None:
    """Though it repeats what it is given on stdout and stderr, and then fails or hangs; sealing and opening."""
    program = tmp_path / "bin" / "systemd-creds"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{TALKS}{ends}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr("edgefn_runtime.store.sealing._PATIENCE_S", 0.2)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    for deed in (lambda creds: Vault(OsDisk(), tmp_path / "home", [creds]).set("registry", SECRET), _opens):
        with pytest.raises((OSError, HomeError), match="systemd-creds") as caught:
            deed(sealer())
        assert SECRET.decode() not in told(caught.value, log)
    kept = Vault(OsDisk(), tmp_path / "secrets", [sealer(), KeyFile(OsDisk(), tmp_path / "keys" / "key")])
    if os.stat(tmp_path).st_uid == 0:  # else the home would not be its owner's
        assert kept.set("registry", SECRET).sealed_by == "key file"
        assert SECRET.decode() not in log.text


def _opens(creds: SystemdCreds) -> bytes:
    return creds.unseal("edgefn.registry", SECRET)  # stands for what such a program may write before it fails


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return what is logged, at every level."""
    caplog.set_level(logging.DEBUG)
    return caplog


def told(error: BaseException, log: pytest.LogCaptureFixture) -> str:
    """Return all that a log may have of `error`: its words, its trace with those of its causes, and the records."""
    return f"{error} {error!r} {error.args!r} {log.text} " + "".join(traceback.format_exception(error))


@pytest.mark.skipif(os.geteuid() != 0, reason="systemd-creds is for root")
def test_systemd_creds_seals_where_the_machine_has_a_key(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """What it sealed opens by it alone, under its own name; the secret is in no argument of any process."""
    program = tool("systemd-creds")
    probe = subprocess.run(
        [program, "encrypt", "--name=probe", "--with-key=host", "-", "-"], check=False, input=b"x", capture_output=True
    )
    if probe.returncode != 0:
        pytest.skip(f"systemd-creds has no key here: {probe.stderr.decode().strip()}")
    creds = SystemdCreds.with_host_key()
    sealed = creds.seal("edgefn.registry", SECRET)
    assert SECRET not in sealed
    assert creds.unseal("edgefn.registry", sealed) == SECRET
    with pytest.raises(CannotUnseal, match=r"cannot open the secret edgefn\.broker"):
        creds.unseal("edgefn.broker", sealed)
    both = Vault(OsDisk(), tmp_path / "secrets", [creds, KeyFile(OsDisk(), tmp_path / "keys" / "secrets.key")])
    assert both.set("registry", SECRET).sealed_by == "systemd"
    assert both.open("registry") == SECRET
    assert not (tmp_path / "keys").exists()
