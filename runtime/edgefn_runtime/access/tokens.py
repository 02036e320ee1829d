"""The box's tokens: the first one, in a file of the home, and named ones, of which the box keeps only hashes.

A token is 32 random bytes, so its SHA-256 reveals nothing about it, and the time of a look-up by hash is no secret.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

from edgefn.api.tokens import TokenInfo
from edgefn.errors import InputError, TokenNotFound
from edgefn_runtime.access import scopes as scopes_
from edgefn_runtime.access.rate import Bucket
from edgefn_runtime.store.tokens import TokenRow
from edgefn_runtime.store.uncancellable import in_thread
from edgefn_runtime.timestamps import now as timestamp

FIRST = "home"
"""The name of the token that lies in the home's own file: everything is open to it."""

PREFIX = "edgefn_"
"""What scanners for leaked secrets look for."""

MIN_RATE, MAX_RATE = 0.001, 1e6
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_BYTES = 32
_MAX_TOKENS = 10_000


class Rows(Protocol):
    """Where named tokens are kept: the database. Writing blocks."""

    def all(self) -> list[TokenRow]: ...
    def put(self, row: TokenRow) -> None: ...
    def delete(self, name: str) -> None: ...


class Token:
    """A token that is known: its name, its scopes, and how often it has been used since the box started.

    `gone` is set as soon as it opens nothing any more: a request that has not come in whole by then ends.
    """

    __slots__ = ("bucket", "gone", "row", "scopes", "uses")

    def __init__(self, row: TokenRow) -> None:
        self.row = row
        self.scopes = frozenset(row.scopes)
        self.bucket = Bucket(row.rate) if row.rate else None
        self.uses = 0
        self.gone = asyncio.Event()

    def use(self, now: float) -> bool:
        """Count a request; False, and nothing counted, for one over the token's rate."""
        if self.bucket is not None and not self.bucket.take(now):
            return False
        self.uses += 1
        return True

    @property
    def info(self) -> TokenInfo:
        """Return the public facts about the token: never its value, nor its hash."""
        row = self.row
        return TokenInfo(
            name=row.name, scopes=list(row.scopes), rate=row.rate, created_at=row.created_at, uses=self.uses
        )


class Tokens:
    """The tokens that the box knows, by hash, in memory. `first` is the home's own; `keep_first` replaces its file."""

    def __init__(self, first: str, rows: Rows, keep_first: Callable[[str], None]) -> None:
        self._rows = rows
        self._keep_first = keep_first
        self._changing = asyncio.Lock()
        self._known: dict[bytes, Token] = {}
        self._add(TokenRow(FIRST, _hash(first.encode()), (scopes_.ADMIN,), None, ""))
        for row in rows.all():
            self._add(row)

    def find(self, value: bytes) -> Token | None:
        """Return the token of that value."""
        return self._known.get(_hash(value))

    def all(self) -> list[Token]:
        """Return the tokens by name, the home's own first."""
        return sorted(self._known.values(), key=lambda token: (token.row.name != FIRST, token.row.name))

    # ── changes, one after the other: what was written is known afterwards, and nothing else ─────────────────

    async def create(self, name: str, scopes: Sequence[str], rate: float | None) -> tuple[Token, str]:
        """Make the token `name`; return it with its value, which is kept nowhere. Raises InputError."""
        opened = scopes_.checked(scopes)
        if not _NAME.fullmatch(name) or name == FIRST:
            raise InputError(
                f"{name[:80]!r} is not a valid token name: use a-z, 0-9, '.', '_' and '-', at most 63 characters",
                field="name",
            )
        if rate is not None and not MIN_RATE <= rate <= MAX_RATE:
            raise InputError(
                f"the rate {rate:g} is out of range: give {MIN_RATE:g} to {MAX_RATE:g} requests a second", field="rate"
            )
        async with self._changing:
            if self._named(name) is not None:
                raise InputError(f"there is already a token {name!r}: rotate it, or choose another name", field="name")
            if len(self._known) >= _MAX_TOKENS:
                raise InputError(f"the box has the maximum of {_MAX_TOKENS} tokens: revoke some", field="name")
            value = _new()
            row = TokenRow(name, _hash(value.encode()), opened, rate, timestamp())
            await in_thread(self._rows.put, row)
            return self._add(row), value

    async def rotate(self, name: str) -> tuple[Token, str]:
        """Give the token a new value; return it with that. Raises TokenNotFound."""
        async with self._changing:
            old, value = self._get(name), _new()
            row = TokenRow(name, _hash(value.encode()), old.row.scopes, old.row.rate, timestamp())
            if name == FIRST:
                await in_thread(self._keep_first, value)
            else:
                await in_thread(self._rows.put, row)
            self._forget(old)
            return self._add(row), value

    async def revoke(self, name: str) -> None:
        """Forget the token. Raises TokenNotFound, and InputError for the home's own."""
        async with self._changing:
            token = self._get(name)
            if name == FIRST:
                raise InputError(f"the first token cannot be revoked; change it with `edgefn box token rotate {FIRST}`")
            await in_thread(self._rows.delete, name)
            self._forget(token)

    def _forget(self, token: Token) -> None:
        del self._known[token.row.hash]
        token.gone.set()

    def _add(self, row: TokenRow) -> Token:
        token = self._known[row.hash] = Token(row)
        return token

    def _named(self, name: str) -> Token | None:
        return next((token for token in self._known.values() if token.row.name == name), None)

    def _get(self, name: str) -> Token:
        token = self._named(name)
        if token is None:
            raise TokenNotFound(f"no token {name[:80]!r} on this box; list its tokens with `edgefn box token list`")
        return token


def _new() -> str:
    return PREFIX + secrets.token_urlsafe(_BYTES)


def _hash(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
