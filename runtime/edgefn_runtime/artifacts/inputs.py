"""Hashes of the files that the artifacts of an unpacked bundle are finished from; the box writes them as it unpacks."""

from __future__ import annotations

from pathlib import Path

import msgspec

FILE = "inputs.json"
"""By artifact, the hash of all that finishing it depends on, but for the machine."""


def read(bundle: Path) -> dict[str, str]:
    """Read the hashes of the unpacked `bundle`, by `ArtifactEntry.path`; {} where they cannot be read."""
    try:
        return msgspec.json.decode((bundle / FILE).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {}
