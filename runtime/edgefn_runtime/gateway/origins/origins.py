"""Which web pages may call the box: its own, and those of `--allow-origin`.

A browser sends requests for whatever page it shows, also to addresses that only its user reaches. It names the page in
`Origin` and `Sec-Fetch-Site` (W3C Fetch Metadata), which no other client sends. A link to a page of the box may be
followed from anywhere; a function is no page, for to get it is to run it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.exceptions import HTTPException

from edgefn_runtime.gateway.limits.heads import Fields

ANY = "*"
FUNCTIONS = ("/fn/", "/admin")
"""Below these nothing is a page."""

_DEFAULT_PORTS = {"http": "80", "https": "443"}
_OWN = (None, b"same-origin", b"none")
"""What a browser sends for the box's own pages, and for a typed address; other clients send nothing."""


class Origins:
    """`allowed` are origins as browsers send them, `https://app.example`, or `*` for all."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.allowed = frozenset(allowed)
        self.any = ANY in self.allowed

    def allows(self, origin: bytes) -> bool:
        """Tell whether the operator let `origin` in."""
        return self.any or origin.decode("latin-1").lower() in self.allowed

    def check(self, fields: Fields, method: str, path: str, authorities: Iterable[str]) -> None:
        """Refuse a request from a foreign page; `authorities` are those of the box.

        Raises HTTPException, 403.
        """
        origin = fields.get(b"origin")
        if origin is None:
            self._check_site(fields, method, path)
        elif not self.allows(origin) and not _is_own(origin.decode("latin-1").lower(), authorities):
            told = origin[:255].decode("latin-1")
            raise HTTPException(
                403, f"web pages of {told!r} may not call this box: to allow them, start it with --allow-origin {told}"
            )

    def _check_site(self, fields: Fields, method: str, path: str) -> None:
        """Refuse requests from another site's page, except opening a page of the box.

        Raises HTTPException, 403.
        """
        if self.any or fields.get(b"sec-fetch-site") in _OWN:
            return
        opens = fields.get(b"sec-fetch-mode") == b"navigate" and method in ("GET", "HEAD")
        if not opens or path.startswith(FUNCTIONS):
            raise HTTPException(
                403,
                "web pages of other sites may not call this box: to allow one, start the box with --allow-origin and "
                "the page's origin, and let the page send its origin (fetch does, and an image with crossorigin)",
            )


def _is_own(origin: str, authorities: Iterable[str]) -> bool:
    """Tell whether `origin` is one of the box's own pages: a proxy may have changed the scheme."""
    scheme, _, authority = origin.partition("://")
    default = _DEFAULT_PORTS.get(scheme)
    if default is None:
        return False
    return any(_with_port(authority, default) == _with_port(own.lower(), default) for own in authorities)


def _with_port(authority: str, default: str) -> str:
    has_port = ":" in authority.rpartition("]")[2]
    return authority if has_port else f"{authority}:{default}"
