"""X-Request-Timeout: how long the caller waits for its answer, in seconds, from the moment the box has its request."""

from __future__ import annotations

import math
import re

from edgefn.errors import InputError

TIMEOUT_HEADER = b"x-request-timeout"
NAME = "X-Request-Timeout"
PATTERN = r"^([1-9][0-9]{0,8}(\.[0-9]{1,9})?|0\.[0-9]{0,4}[1-9][0-9]{0,4})$"
"""What a client may send by the OpenAPI document: it leaves out leading zeros, and 0 itself."""

_SECONDS = re.compile(rb"[0-9]{1,9}(\.[0-9]{1,9})?")


def request_timeout_s(value: bytes | None) -> float:
    """Parse the header into seconds; infinity where it is not there. Raises InputError."""
    if value is None:
        return math.inf
    seconds = float(value) if _SECONDS.fullmatch(value.strip()) else 0.0
    if seconds <= 0:
        told = value[:40].decode("latin-1")
        raise InputError(f"{told!r} is not a timeout: give seconds above 0 as a decimal, e.g. 0.25", field=NAME)
    return seconds
