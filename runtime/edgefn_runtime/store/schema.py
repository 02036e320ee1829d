"""The database's tables and their version. Owns what is in box.db; never reads or writes a row."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edgefn.errors import HomeError

_TABLES = """
CREATE TABLE revisions (                -- bundles by manifest digest
    digest TEXT PRIMARY KEY,
    config BLOB NOT NULL,               -- the bundle's config, its own bytes
    blobs BLOB NOT NULL                 -- JSON [[digest, size], ...]: manifest, config, layers
) STRICT;
CREATE TABLE history (                  -- deployments, numbered from 1 for each function
    function TEXT NOT NULL,
    number INTEGER NOT NULL,
    digest TEXT NOT NULL REFERENCES revisions,
    previous INTEGER,                   -- what served when this one came: where a rollback goes
    deployed_at TEXT NOT NULL,
    PRIMARY KEY (function, number)
) STRICT;
CREATE TABLE routes (                   -- what serves
    function TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    last_number INTEGER NOT NULL,       -- numbers are never used twice, even after a rollback
    FOREIGN KEY (function, number) REFERENCES history
) STRICT;
"""

_MEASURED = """
ALTER TABLE revisions ADD COLUMN template_bytes INTEGER;    -- what its template takes, NULL until measured here
ALTER TABLE revisions ADD COLUMN instance_bytes INTEGER;    -- and each instance beside it
"""

_TOKENS = """
CREATE TABLE tokens (                   -- named tokens (the home's own is a file beside this one)
    name TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,          -- SHA-256 of the value, which is kept nowhere
    scopes TEXT NOT NULL,               -- JSON ["admin", ...]
    rate REAL,                          -- requests a second, NULL without a bound
    created_at TEXT NOT NULL
) STRICT;
"""

_GRANTS = """
CREATE TABLE grants (                   -- what the operator lets functions have beyond their sandbox
    function TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    granted_at TEXT NOT NULL,
    granted_by TEXT NOT NULL,
    PRIMARY KEY (function, kind, value)
) STRICT;
INSERT OR IGNORE INTO grants            -- what was deployed before there were grants keeps what it had
    SELECT function, 'network', '', deployed_at, 'kept' FROM history JOIN revisions USING (digest)
    WHERE CASE WHEN json_valid(CAST(config AS TEXT)) THEN json_extract(CAST(config AS TEXT), '$.function.network') END;
INSERT OR IGNORE INTO grants
    SELECT function, 'device', device.value, deployed_at, 'kept' FROM history JOIN revisions USING (digest),
    json_each(CASE WHEN json_valid(CAST(config AS TEXT)) THEN CAST(config AS TEXT) ELSE '{}' END,
              '$.function.devices') AS device;
"""

_USERS = """
CREATE TABLE users (                    -- the operating system's users that functions run as
    function TEXT PRIMARY KEY,
    uid INTEGER NOT NULL UNIQUE
) STRICT;
"""

_CHANGES = (_TABLES, _MEASURED, _GRANTS, _TOKENS, _USERS)
"""From each version to the next one."""

SCHEMA_VERSION = len(_CHANGES)
GRANTS_VERSION = _CHANGES.index(_GRANTS) + 1
"""The first one with grants."""


def prepare(connection: sqlite3.Connection, path: Path) -> int:
    """Create or upgrade the tables; return the version that they had.

    Raises HomeError for a newer version.
    """
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == SCHEMA_VERSION:
        return int(found)
    connection.execute("BEGIN IMMEDIATE")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > SCHEMA_VERSION:
        connection.execute("ROLLBACK")
        raise HomeError(
            f"a newer edgefn wrote {path} (schema {found}, this one supports {SCHEMA_VERSION}): update edgefn here, "
            "or choose another home with --home"
        )
    if found < SCHEMA_VERSION:
        for statement in ";".join(_CHANGES[found:]).split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
    return int(found)
