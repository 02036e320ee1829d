"""The box's doors: who may use the admin API, look at the figures, and call functions.

`allows` runs for each invocation where callers are asked for a token: one hash and one look-up, no await. A request
that it refuses comes again to `admit`, which gives the reason, and takes its time over a wrong token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol

from edgefn.errors import Forbidden, RateExceeded, Unauthorized
from edgefn_runtime.access import caller as caller_
from edgefn_runtime.access.caller import OWNER, Caller, ClientOf
from edgefn_runtime.access.scopes import opens_function
from edgefn_runtime.access.slowdown import Slowdown
from edgefn_runtime.access.tokens import Token, Tokens

TOKEN, OPEN, LOOPBACK = "token", "open", "loopback"
"""The allowed callers of functions: those with a token, everybody who can reach the box, or only this machine."""

Opens = Callable[[Collection[str]], bool]


class RefusalFigures(Protocol):
    """Where refusals are counted."""

    def refused_token(self, reason: str) -> None: ...


class RefusalAudit(Protocol):
    """Where wrong tokens are written down."""

    def wrong_token(self, address: str) -> None: ...


class Doors:
    """The checks of tokens. `callers` is the rule for callers of functions: with TOKEN, they need one, too.

    `client_of` returns the client's address behind a proxy: a wrong token counts against its sender, not the proxy.
    """

    def __init__(
        self, tokens: Tokens, figures: RefusalFigures, audit: RefusalAudit, *, callers: str = LOOPBACK
    ) -> None:
        self.callers = callers
        self.client_of: ClientOf = lambda forwarded_for, peer: ""
        self.tokens = tokens
        self._figures = figures
        self._audit = audit
        self._slowdown = Slowdown()

    @property
    def asks_callers(self) -> bool:
        """Tell whether callers of functions need a token."""
        return self.callers == TOKEN

    # ── callers of functions ─────────────────────────────────────────────────────────────────────────────────

    def allows(self, headers: Mapping[bytes, bytes], function: str) -> Token | None:
        """Count a request to `function` with its token, and return the token.

        Returns None where the request is refused.
        """
        token = self.tokens.find(_bearer(headers.get(b"authorization", b"")))
        let_in = token is not None and opens_function(token.scopes, function) and token.use(time.monotonic())
        return token if let_in else None

    async def admit_caller(self, scope: Any, function: str) -> None:
        """Let a request to `function` pass where callers are asked, or raise as `admit` does."""
        if self.asks_callers:
            need = f"calling {function}", f"invoke:{function}"
            await self.admit(scope, lambda scopes: opens_function(scopes, function), *need)

    async def admit_reader(self, scope: Any, what: str, opens: Opens) -> None:
        """Let a request for a page about functions pass where callers are asked, or raise as `admit` does."""
        if self.asks_callers:
            await self.admit(scope, opens, what, "status")

    # ── whoever shows a token ────────────────────────────────────────────────────────────────────────────────

    async def admit(self, scope: Any, opens: Opens, what: str, needs: str) -> Caller:
        """Return the caller of an ASGI request whose token `opens` its target; remember it with `scope`.

        Raises Unauthorized without a token that is known, after a while for a wrong one; Forbidden where the token is
        for something else; RateExceeded.
        """
        if caller_.by_socket(scope):
            caller_.remember(scope, OWNER)
            return OWNER
        address, value = caller_.address(scope, self.client_of), _bearer(_authorization(scope["headers"]))
        if not value:
            self._figures.refused_token("missing")
            raise Unauthorized(
                f"{what} needs a token in the header `Authorization: Bearer TOKEN`; create one on the box with "
                f"`edgefn box token create NAME --scope {needs}`"
            )
        token = self.tokens.find(value)
        if token is None:
            await self._wrong(address)
            raise Unauthorized("this box does not know the token; list its tokens there with `edgefn box token list`")
        self._check(token, opens, what, needs)
        caller = Caller(token.row.name, token.row.scopes, address)
        caller_.remember(scope, caller, token.gone)
        return caller

    def _check(self, token: Token, opens: Opens, what: str, needs: str) -> None:
        if not opens(token.scopes):
            self._figures.refused_token("scope")
            scopes = ", ".join(token.row.scopes)
            raise Forbidden(f"{what} needs the scope {needs}, but the token {token.row.name!r} has {scopes}")
        if not token.use(time.monotonic()):
            self._figures.refused_token("rate")
            assert token.bucket is not None
            raise RateExceeded(
                f"the token {token.row.name!r} allows {token.row.rate:g} requests a second",
                retry_after_s=token.bucket.wait_s(),
            )

    async def _wrong(self, address: str) -> None:
        """Count and tell a wrong token, and wait: longer for each one that came from `address` lately."""
        wait_s = self._slowdown.failed(address, time.monotonic())
        self._figures.refused_token("wrong")
        self._audit.wrong_token(address)
        if self._slowdown.is_full:
            return
        self._slowdown.waiting += 1
        try:
            await asyncio.sleep(wait_s)
        finally:
            self._slowdown.waiting -= 1


def gone() -> Unauthorized:
    """Return the refusal of a request whose token was revoked or rotated before all of it had come."""
    return Unauthorized("the token was revoked or rotated during the request: send it again with a valid token")


def _authorization(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the one Authorization header; two of them are none."""
    values = [value for name, value in headers if name == b"authorization"]
    return values[0] if len(values) == 1 else b""


def _bearer(authorization: bytes) -> bytes:
    """Return the token of `Bearer TOKEN`; empty where there is none.

    The scheme may be in any case (RFC 9110, 11.1).
    """
    scheme, _, token = authorization.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""
