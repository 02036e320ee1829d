"""Options of TLS that contradict each other, and the certificate that a box makes."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgefn.errors import SpecError
from edgefn_cli.boxes import certificate as client
from edgefn_runtime.access import tls
from edgefn_runtime.access.certificate import self_signed
from edgefn_runtime.settings import BoxSettings
from edgefn_runtime.store.disk import OsDisk

FILE = Path("/nowhere.pem")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tls_cert": FILE}, "go together"),
        ({"tls_key": FILE}, "go together"),
        ({"tls": "auto", "tls_cert": FILE, "tls_key": FILE}, "give one of them"),
        ({"tls_client_ca": FILE}, "needs TLS"),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, Any], says: str) -> None:
    """Told before anything listens."""
    with pytest.raises(SpecError, match=says):
        tls.check(BoxSettings(home=Path("/home"), **options))


def test_the_certificate_that_a_box_makes(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """Made once; its key is the box's alone; the fingerprint is the one that a client computes of what it sees."""
    tool("openssl")
    files = self_signed(tmp_path / "tls", OsDisk(), "192.168.1.20")
    assert files.key.stat().st_mode & 0o777 == 0o600
    assert self_signed(tmp_path / "tls", OsDisk(), "0.0.0.0").fingerprint() == files.fingerprint()
    text = files.certificate.read_text()
    assert client.fingerprint(text) == files.fingerprint() == client.normalised(files.fingerprint().upper())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=text)
    assert context.cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 0}, "it could sign for other boxes"


@pytest.mark.parametrize("text", ["", "sha256:12", "zz" * 32, "sha1:" + "a" * 40])
def test_a_fingerprint_that_is_none(text: str) -> None:
    """A shorter one would be easy to forge."""
    with pytest.raises(SpecError, match="SHA-256"):
        client.normalised(text)
