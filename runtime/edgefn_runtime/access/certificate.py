"""A certificate that the box signs itself, for `--tls auto`: made once, and kept in the home.

Nobody vouches for it: a user that logs in compares its fingerprint with the one that the box prints, and trusts this
certificate alone. So it is valid at any time, and names of the machine that change do no harm.
"""

from __future__ import annotations

import hashlib
import ipaddress
import platform
import ssl
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgefn.errors import SpecError
from edgefn_runtime.store.disk import Disk, room_for, write_file

if TYPE_CHECKING:
    from cryptography import x509

VALID_FROM, VALID_UNTIL = datetime(1970, 1, 1), datetime(9999, 12, 31, 23, 59, 59)
"""Always valid: a machine without a battery starts in 1970, and learns the time only after it made the certificate.

This end date means "none" (RFC 5280, 4.1.2.5).
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
    """Return the certificate in `folder`; it is made where there is none. Raises DiskFull."""
    files = CertificateFiles(folder / "certificate.pem", folder / "key.pem")
    if not (files.certificate.exists() and files.key.exists()):
        certificate, key = _made(host)
        with room_for("the box's certificate"):
            disk.make_folder(folder)
            write_file(disk, files.key, key)  # first: where the certificate is, the key is
            write_file(disk, files.certificate, certificate)
    return files


def _made(host: str) -> tuple[bytes, bytes]:
    """Return a new certificate and its key, as PEM."""
    from cryptography import x509  # a box that has its certificate does not pay for it
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "edgefn box")])
    uses = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), VALID_FROM, VALID_UNTIL)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **uses), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form, cipher = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return certificate.public_bytes(pem), key.private_bytes(pem, form, cipher)


def _names(host: str) -> list[x509.GeneralName]:
    """Return the names of this box for its certificate: the machine's names and the address it listens on."""
    from cryptography import x509

    names = {"localhost", platform.node()}
    addresses = {ipaddress.ip_address(address) for address in ("127.0.0.1", "::1")}
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        names.add(host)
    else:
        addresses |= set() if address.is_unspecified else {address}
    known = sorted(name for name in names if name and name.isascii())
    return [*map(x509.DNSName, known), *map(x509.IPAddress, sorted(addresses, key=str))]
