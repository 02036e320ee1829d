"""Who may talk to a box."""

from __future__ import annotations

import msgspec


class TokenRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A token to make; `rate` is in requests a second."""

    name: str
    scopes: list[str]
    rate: float | None = None


class CallerInfo(msgspec.Struct, frozen=True):
    """The name of the token that a request came with, and what it opens."""

    name: str
    scopes: list[str]


class TokenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The public facts about a token, never its value; `uses` are those since the box started."""

    name: str
    scopes: list[str]
    rate: float | None = None
    created_at: str = ""
    uses: int = 0


class NewToken(TokenInfo, frozen=True, kw_only=True):
    """A token with its value, which no other answer has."""

    token: str


class TokenList(msgspec.Struct, frozen=True):
    """The tokens of a box, the home's own first."""

    tokens: list[TokenInfo]
