"""What an artifact asks of the sessions that are made of it: a small JSON file beside model.onnx.

    {"precision": "int8", "session": {"session.x64quantprecision": "1"}}

A float artifact has none. `session` are configuration entries of ONNX Runtime. Never imports onnxruntime.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgefn.errors import BundleError

FILE = "settings.json"

EXACT_PRODUCTS = {"session.x64quantprecision": "1"}
"""Products of eight bits are added in 32 bits on x86 without VNNI: exact, and a third slower."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The precision of the artifact's layers, and configuration entries for its sessions."""

    precision: str = "fp32"
    session: dict[str, str] = {}


def write(settings: Settings, folder: Path) -> None:
    """The settings lie in `folder`."""
    (folder / FILE).write_bytes(msgspec.json.encode(settings, order="deterministic"))


def read(folder: Path) -> Settings:
    """The settings in `folder`; a float artifact's where there are none. Raises BundleError on a damaged file."""
    try:
        data = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return Settings()
    try:
        return msgspec.json.decode(data, type=Settings)
    except msgspec.DecodeError as error:
        raise BundleError(f"{FILE} of an artifact is damaged ({error}): build the bundle again") from error
