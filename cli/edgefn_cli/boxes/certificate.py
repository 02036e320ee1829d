"""A box's own certificate: fetched before it is trusted, shown by its fingerprint, and then trusted alone.

A box with `--tls auto` has signed its certificate itself. The user compares its fingerprint once with the one that the
box printed; from then on no other certificate will do, whatever authority signed it.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edgefn.errors import BoxUnreachable, SpecError

CONNECT_S = 5.0


@dataclass(frozen=True)
class Trust:
    """The one certificate that a client trusts, as PEM text, and the files of the client's own certificate."""

    certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""

    def context(self) -> ssl.SSLContext:
        """Return the TLS settings of a connection.

        Raises SpecError for a client's certificate that cannot be read.
        """
        context = ssl.create_default_context(cadata=self.certificate or None)
        if self.certificate:
            context.check_hostname = False  # it is this very certificate: names say nothing more
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if self.client_certificate:
            try:
                context.load_cert_chain(self.client_certificate, self.client_key or None)
            except (OSError, ssl.SSLError) as error:
                raise SpecError(
                    f"the client's certificate {self.client_certificate} cannot be used: {error}"
                ) from error
        return context


def fetch(url: str) -> str:
    """Fetch the PEM text of the certificate at `url`, trusted or not. Raises BoxUnreachable."""
    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((parts.hostname or "", parts.port or 443), CONNECT_S) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as connection,
        ):
            shown = connection.getpeercert(binary_form=True)
    except OSError as error:
        raise BoxUnreachable(f"no TLS connection to {url} ({error}): check that the box runs with --tls") from error
    if not shown:
        raise BoxUnreachable(f"the server at {url} sent no certificate")
    return ssl.DER_cert_to_PEM_cert(shown)


def fingerprint(certificate: str) -> str:
    """Return the SHA-256 of a certificate's DER bytes, as the box prints it: "sha256:" and 64 figures."""
    return f"sha256:{hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()}"


def normalised(text: str) -> str:
    """Return a typed or copied fingerprint in the form of `fingerprint`. Raises SpecError."""
    figures = text.strip().lower().removeprefix("sha256:").removeprefix("sha256 fingerprint=").replace(":", "")
    if len(figures) != 64 or not set(figures) <= set("0123456789abcdef"):
        raise SpecError(f"--fingerprint is {text!r}: give the SHA-256 of the box's certificate, as the box prints it")
    return f"sha256:{figures}"


def is_trusted(url: str) -> bool:
    """Tell whether a public authority that this machine trusts vouches for the certificate shown at `url`."""
    parts = urlsplit(url)
    try:
        with (
            socket.create_connection((parts.hostname or "", parts.port or 443), CONNECT_S) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return True
    except ssl.SSLError:
        return False
    except OSError as error:
        raise BoxUnreachable(f"no box answers at {url} ({error})") from error


def read_file(path: Path, what: str) -> str:
    """Return the absolute path of a file that can be read. Raises SpecError naming `what`."""
    try:
        with path.open("rb"):
            return str(path.resolve())
    except OSError as error:
        raise SpecError(f"{what} {path} cannot be read: {error.strerror}") from error
