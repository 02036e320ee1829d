"""TLS before the gateway: the box's certificate, and its clients' where it wants them."""

from __future__ import annotations

import ssl
from pathlib import Path

from edgefn.errors import SpecError
from edgefn_runtime.access.certificate import CertificateFiles, self_signed
from edgefn_runtime.settings import BoxSettings
from edgefn_runtime.store.home import Home

AUTO = "auto"


def check(settings: BoxSettings) -> None:
    """Raise SpecError for options of TLS that contradict each other."""
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise SpecError("--tls-cert and --tls-key go together: give both, or --tls auto")
    if settings.tls == AUTO and settings.tls_cert is not None:
        raise SpecError("--tls auto makes a certificate and --tls-cert names one: give only one of them")
    if settings.tls_client_ca is not None and not is_on(settings):
        raise SpecError("--tls-client-ca needs TLS: give --tls auto, or --tls-cert and --tls-key")


def is_on(settings: BoxSettings) -> bool:
    """Tell whether the box's port speaks TLS."""
    return settings.tls == AUTO or settings.tls_cert is not None


class Tls:
    """The box's side of TLS. `fingerprint` is its certificate's, `context` is for new connections."""

    context: ssl.SSLContext

    def __init__(self, settings: BoxSettings, home: Home) -> None:
        """Read the files of `settings`, or make them. Raises SpecError for one that cannot be used."""
        if settings.tls_cert is not None and settings.tls_key is not None:
            self._files = CertificateFiles(settings.tls_cert, settings.tls_key)
        else:
            self._files = self_signed(home.tls, home.disk, settings.host)
        self._authority = settings.tls_client_ca
        self.renew()

    @property
    def wants_clients(self) -> bool:
        """Tell whether a client needs a certificate."""
        return self._authority is not None

    def renew(self) -> None:
        """Read all files again: certificate and key, the clients' authority and its revocations.

        Raises SpecError, and leaves all as it was.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        fingerprint = self._files.fingerprint()
        try:
            context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:
            raise SpecError(f"{self._files.certificate} and {self._files.key} cannot be used: {error}") from error
        if self._authority is not None:
            _trust(context, self._authority)
        self.context, self.fingerprint = context, fingerprint


def _trust(context: ssl.SSLContext, authority: Path) -> None:
    """Require a certificate that `authority` has signed, and that its list, if any, has not revoked."""
    try:
        context.load_verify_locations(authority)
    except (OSError, ssl.SSLError) as error:
        raise SpecError(f"--tls-client-ca {authority} holds no certificate in PEM: {error}") from error
    context.verify_mode = ssl.CERT_REQUIRED
    if context.cert_store_stats()["crl"]:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    # A session that is resumed shows no certificate: one that was revoked or has run out would still do.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
