"""The database's tables and their version. Owns what is in box.db; never reads or writes a row."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edgefn.errors import HomeError

SCHEMA_VERSION = 3

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

_USERS = """
CREATE TABLE users (                    -- the operating system's users that functions run as
    function TEXT PRIMARY KEY,
    uid INTEGER NOT NULL UNIQUE
) STRICT;
"""

_CHANGES = (_TABLES, _MEASURED, _USERS)
"""From each version to the next one."""


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """The tables are there, in this version, whatever version they had. Raises HomeError for a newer one."""
    connection.execute("BEGIN IMMEDIATE")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > SCHEMA_VERSION:
        connection.execute("ROLLBACK")
        raise HomeError(
            f"{path} was written by a newer edgefn (schema {found}, this one knows {SCHEMA_VERSION}): "
            "update edgefn here, or give another home with --home"
        )
    if found < SCHEMA_VERSION:
        for statement in ";".join(_CHANGES[found:]).split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
