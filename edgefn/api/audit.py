"""Who did what on a box."""

from __future__ import annotations

import msgspec


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change or an incident: when, by whom, from where, to which function, with which result.

    `before` and `after` are the digests of revisions. A member that has nothing to say is left out.
    """

    at: str = ""
    who: str = ""
    address: str = ""
    action: str = ""
    function: str = ""
    before: str = ""
    after: str = ""
    result: str = ""
    detail: str = ""
