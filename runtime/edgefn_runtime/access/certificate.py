"""A certificate that the box signs itself, for `--tls auto`: made once, by the openssl program, and kept in the home.

Nobody vouches for it: whoever logs in compares its fingerprint with the one that the box prints, and trusts this
certificate alone. So it lasts ten years, and names of the machine that change do no harm.
"""

from __future__ import annotations

import hashlib
import ipaddress
import platform
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from edgefn.errors import SpecError
from edgefn_runtime.store.disk import Disk, write_file

DAYS = 3650
_TIME_S = 60.0
_CONFIGURATION = """
[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = edgefn box
[extensions]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
subjectAltName = {names}
"""


class CertificateFiles(NamedTuple):
    """A certificate (with what leads to its authority) and its key, as PEM files."""

    certificate: Path
    key: Path

    def fingerprint(self) -> str:
        """Return "sha256:" and the hash of the first certificate's DER bytes. Raises SpecError."""
        begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
        try:
            first = begin + self.certificate.read_text("ascii").split(begin, 1)[1].split(end, 1)[0] + end
            return f"sha256:{hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()}"
        except (OSError, ValueError, IndexError) as error:
            raise SpecError(f"{self.certificate} holds no certificate in PEM: {error}") from error


def self_signed(folder: Path, disk: Disk, host: str) -> CertificateFiles:
    """Return the certificate in `folder`; it is made where there is none. Raises SpecError where openssl cannot."""
    files = CertificateFiles(folder / "certificate.pem", folder / "key.pem")
    if not (files.certificate.exists() and files.key.exists()):
        certificate, key = _made(_names(host))
        disk.make_folder(folder)
        write_file(disk, files.key, key)  # first: where the certificate is, the key is
        write_file(disk, files.certificate, certificate)
    return files


def _made(names: str) -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory(prefix="edgefn-tls-") as scratch:  # of mode 0700
        certificate, key, configuration = (Path(scratch, name) for name in ("certificate", "key", "configuration"))
        configuration.write_text(_CONFIGURATION.format(names=names))
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        files = ["-config", str(configuration), "-keyout", str(key), "-out", str(certificate)]
        command = ["openssl", "req", "-x509", *curve, "-sha256", "-days", str(DAYS), *files]
        try:
            subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TIME_S)
        except FileNotFoundError:
            raise SpecError(
                "--tls auto needs the openssl program, which is not installed here: install it "
                "(`apt-get install openssl`), or give --tls-cert and --tls-key"
            ) from None
        except (subprocess.SubprocessError, OSError) as error:
            told = getattr(error, "stderr", None) or b""
            raise SpecError(
                f"openssl made no certificate for --tls auto: {error} {told.decode(errors='replace')}"
            ) from error
        return certificate.read_bytes(), key.read_bytes()


def _names(host: str) -> str:
    """Return what clients that look at names may call this box: its machine's names and the address it listens on."""
    names = {f"DNS:{name}" for name in ("localhost", platform.node()) if name and name.isascii()}
    addresses = {"127.0.0.1", "::1"}
    try:
        if not ipaddress.ip_address(host).is_unspecified:
            addresses.add(host)
    except ValueError:
        names.add(f"DNS:{host}")
    return ",".join(sorted(names) + sorted(f"IP:{address}" for address in addresses))
