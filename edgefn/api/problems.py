"""Errors, as RFC 9457 has them, with members of edgefn's own."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error. `error` is the class of edgefn.errors; `field`, `id`, `trace` and `available` go with some of them."""

    type: str = "about:blank"
    title: str = ""
    status: int = 500
    detail: str = ""
    error: str = ""
    field: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    trace: str | UnsetType = UNSET
    available: list[str] | UnsetType = UNSET
