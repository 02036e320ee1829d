"""Whom a client of the tests believes: any box, where the certificate is not what is tested."""

from __future__ import annotations

import ssl


def anybody() -> ssl.SSLContext:
    """Return a client's settings that take any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
