"""The settings that an artifact needs in its sessions: a small JSON file beside model.onnx.

    {"precision": "int8", "session": {"session.x64quantprecision": "1"}}

A float artifact has none. `session` are configuration entries of ONNX Runtime. A bundle may be hostile, and some
entries name files that are read or written: only those that edgefn itself writes are taken. Never imports onnxruntime.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from edgefn.backends import small_files
from edgefn.errors import BundleError

FILE = "settings.json"

EXACT_PRODUCTS = {"session.x64quantprecision": "1"}
"""Products of eight bits are added in 32 bits on x86 without VNNI: exact, and a third slower."""

PRECISIONS = frozenset({"fp32", "int8"})
ALLOWED: Mapping[str, frozenset[str]] = {key: frozenset({value}) for key, value in EXACT_PRODUCTS.items()}
"""Entries that an artifact may ask for, with their values: only those that `lower` writes."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The precision of the artifact's layers, and configuration entries for its sessions."""

    precision: str = "fp32"
    session: dict[str, str] = {}


def write(settings: Settings, folder: Path) -> None:
    """Write the settings into `folder`."""
    (folder / FILE).write_bytes(msgspec.json.encode(settings, order="deterministic"))


def read(folder: Path) -> Settings:
    """Read the settings in `folder`; return a float artifact's settings when there is no file.

    Raise BundleError on a damaged file, and on an entry that edgefn does not write.
    """
    if not (folder / FILE).exists():
        return Settings()
    found = small_files.read(folder, FILE, Settings, "onnxruntime")
    refused = [key for key, value in found.session.items() if value not in ALLOWED.get(key, ())]
    if refused or found.precision not in PRECISIONS:
        asked = ", ".join(f"{key[:80]!r}" for key in refused[:3]) or f"precision {found.precision[:80]!r}"
        raise BundleError(f"{FILE} of an artifact asks for {asked}, which edgefn never sets: build the bundle again")
    return found
