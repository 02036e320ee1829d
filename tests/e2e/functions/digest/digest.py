"""Answers with what nothing but the whole body gives."""

import hashlib

from edgefn import edge_function


@edge_function(memory="64MiB", timeout="8s", idle="30s", scale=(0, 2), queue=200, max_body="4MiB")
def digest(body: bytes) -> str:
    """The body's SHA-256, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()
