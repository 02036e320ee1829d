"""Named tokens in the database: their hashes, never their values. Writing blocks, as each change of it does."""

from __future__ import annotations

import msgspec

from edgefn_runtime.store.database import Database


class TokenRow(msgspec.Struct, frozen=True):
    """A token as it is stored. `rate` is requests a second, None without a bound."""

    name: str
    hash: bytes
    scopes: tuple[str, ...]
    rate: float | None
    created_at: str


class TokenTable:
    """The table `tokens` of `database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[TokenRow]:
        """Return every token, by name."""
        rows = self._database.rows("SELECT name, hash, scopes, rate, created_at FROM tokens ORDER BY name")
        return [
            TokenRow(name, hash, msgspec.json.decode(scopes, type=tuple[str, ...]), rate, created_at)
            for name, hash, scopes, rate, created_at in rows
        ]

    def put(self, row: TokenRow) -> None:
        """Keep `row`; one of that name is replaced."""
        with self._database.transaction() as change:
            scopes = msgspec.json.encode(row.scopes).decode()
            values = (row.name, row.hash, scopes, row.rate, row.created_at)
            change("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?)", *values)

    def delete(self, name: str) -> None:
        """Forget the token `name`; nothing happens where there is none."""
        with self._database.transaction() as change:
            change("DELETE FROM tokens WHERE name = ?", name)
