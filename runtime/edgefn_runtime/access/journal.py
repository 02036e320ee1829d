"""Who did what, in the box's own log."""

from __future__ import annotations

import logging

_log = logging.getLogger("edgefn.audit")


class Journal:
    """Writes to the box's log."""

    def change(self, action: str, **members: str) -> None:
        """Tell what somebody did."""
        _log.info("%s, %s", action, ", ".join(members.values()))

    def wrong_token(self, address: str) -> None:
        """Tell of a request with a wrong token."""
        _log.warning("wrong token from %s", address)
