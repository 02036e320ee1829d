"""Options of TLS that contradict each other, and the certificate that a box makes."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from edgefn.errors import SpecError
from edgefn_cli.boxes import certificate as client
from edgefn_runtime.access import tls
from edgefn_runtime.access.certificate import self_signed
from edgefn_runtime.settings import BoxSettings
from edgefn_runtime.store.disk import OsDisk
from edgefn_runtime.store.home import Home

FILE = Path("/nowhere.pem")
_1970 = datetime(1970, 1, 1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tls_cert": FILE}, "go together"),
        ({"tls_key": FILE}, "go together"),
        ({"tls": "auto", "tls_cert": FILE, "tls_key": FILE}, "give only one of them"),
        ({"tls_client_ca": FILE}, "needs TLS"),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, Any], says: str) -> None:
    """Told before anything listens."""
    with pytest.raises(SpecError, match=says):
        tls.check(BoxSettings(home=Path("/home"), **options))


def test_the_certificate_that_a_box_makes(tmp_path: Path) -> None:
    """Made once; its key is the box's alone; the fingerprint is the one that a client computes of what it sees."""
    files = self_signed(tmp_path / "tls", OsDisk(), "192.168.1.20")
    assert files.key.stat().st_mode & 0o777 == 0o600
    assert self_signed(tmp_path / "tls", OsDisk(), "0.0.0.0").fingerprint() == files.fingerprint()
    text = files.certificate.read_text()
    assert client.fingerprint(text) == files.fingerprint() == client.normalised(files.fingerprint().upper())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=text)
    assert context.cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 0}, "it could sign for other boxes"


@given(
    host=st.sampled_from(["127.0.0.1", "0.0.0.0", "::", "fe80::1%eth0", "box.example", "böx"]), when=st.datetimes(_1970)
)
def test_it_is_valid_whatever_the_clock_says(
    tmp_path_factory: pytest.TempPathFactory, host: str, when: datetime
) -> None:
    """A machine without a battery makes it in 1970, and learns the time of day afterwards."""
    text = self_signed(tmp_path_factory.mktemp("tls"), OsDisk(), host).certificate.read_bytes()
    made = x509.load_pem_x509_certificate(text)
    assert made.not_valid_before_utc <= when.replace(tzinfo=UTC, microsecond=0) <= made.not_valid_after_utc


@pytest.mark.parametrize("text", ["", "sha256:12", "zz" * 32, "sha1:" + "a" * 40])
def test_a_fingerprint_that_is_none(text: str) -> None:
    """A shorter one would be easy to forge."""
    with pytest.raises(SpecError, match="SHA-256"):
        client.normalised(text)


class Authority:
    """Signs clients' certificates in `folder`, and revokes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._openssl("req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "own.pem", "-days", "2", *_OWN)
        (folder / "ca.cnf").write_text(_CONFIGURATION)
        (folder / "index").touch()
        for number in ("serial", "lists"):
            (folder / number).write_text("01\n")
        self.file = folder / "ca.pem"
        self.file.write_text((folder / "own.pem").read_text())

    def signed(self, name: str) -> ssl.SSLContext:
        """Return a client that shows a certificate of its own."""
        self._openssl("req", "-new", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        self._openssl("ca", "-batch", *_CA, "-in", f"{name}.csr", "-out", f"{name}.pem", "-notext")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context

    def revoke(self, *names: str) -> None:
        """Put a list of those that are revoked behind the authority's own certificate."""
        for name in names:
            self._openssl("ca", *_CA, "-revoke", f"{name}.pem")
        self._openssl("ca", *_CA, "-gencrl", "-out", "crl.pem")
        self.file.write_text((self.folder / "own.pem").read_text() + (self.folder / "crl.pem").read_text())

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)


_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
_OWN = ["-subj", "/CN=authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
_CA = ["-config", "ca.cnf", "-cert", "own.pem", "-keyfile", "ca.key"]
_CONFIGURATION = """
[ca]
default_ca = own
[own]
database = index
serial = serial
crlnumber = lists
new_certs_dir = .
default_md = sha256
default_days = 2
default_crl_days = 2
policy = any
[any]
commonName = supplied
"""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_clients_certificate_can_be_revoked(
    tmp_path: Path, tool: Callable[[str], str], version: ssl.TLSVersion
) -> None:
    """From the next reading of the files on, with the session of before, too; the others go on."""
    tool("openssl")
    authority = Authority(tmp_path)
    lost, kept = authority.signed("lost"), authority.signed("kept")
    for client_side in (lost, kept):
        client_side.maximum_version = version
    settings = BoxSettings(home=tmp_path, tls="auto", tls_client_ca=authority.file)
    with closing(Home(tmp_path / "home")) as home:
        box = tls.Tls(settings, home)
        assert box.wants_clients
        let_in, session = _shaken(box.context, lost)
        assert let_in
        before = box.context
        authority.revoke("lost")
        box.renew()
        for context in (box.context, _with_list(before, authority.file)):
            assert not _shaken(context, lost, session)[0]
        assert _shaken(box.context, kept)[0]
        authority.file.write_text("nothing")
        after = box.context
        with pytest.raises(SpecError, match="no certificate"):
            box.renew()
        assert box.context is after, "what cannot be read lets nobody in or out"


def _with_list(context: ssl.SSLContext, file: Path) -> ssl.SSLContext:
    """The list put into the very context that has the session: as if the certificate had run out."""
    context.load_verify_locations(file)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def _shaken(
    server_side: ssl.SSLContext, client_side: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[bool, ssl.SSLSession | None]:
    """Tell whether a client is let in, and return its session."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def serve() -> bool:
            plain, _ = listener.accept()
            with plain:
                try:
                    with server_side.wrap_socket(plain, server_side=True) as connection:
                        connection.sendall(b"x")
                        return True
                except (ssl.SSLError, ConnectionError):
                    return False

        serving = pool.submit(serve)
        with (
            suppress(ssl.SSLError, ConnectionError),
            socket.create_connection(listener.getsockname()) as plain,
            client_side.wrap_socket(plain, session=session) as connection,
        ):
            connection.recv(1)
            session = connection.session
        return serving.result(10), session
