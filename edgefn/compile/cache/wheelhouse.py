"""The wheels of a function's requirements.txt, resolved once for the same text, Python, platform and box.

A requirement that is not pinned stays at what it was resolved to until the cache is forced or deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgefn.bundle.config import Wheel
from edgefn.bundle.packages import wheels
from edgefn.bundle.packages.provided import provided_here
from edgefn.compile.cache.cache import Cache, key_of

_TREE, _PINS = "site-packages", "pins.json"


@dataclass(frozen=True)
class Wheels:
    """What goes into the bundle: pins, what they tie it to, and the tree; no `folder` when there are none."""

    pins: tuple[Wheel, ...] = ()
    python: str = ""
    platform: str = "any"
    folder: Path | None = None


def resolved(requirements: Path, python: str, platform: str, cache: Cache) -> Wheels:
    """Resolve the wheels of the file `requirements`, which may be missing. Raise BuildError or SpecError."""
    if not requirements.is_file():
        return Wheels()
    key = key_of(requirements.read_text("utf-8"), python, platform, provided_here())

    def fill(into: Path) -> None:
        (into / _TREE).mkdir()
        pins = wheels.resolve(requirements, python, platform, into / _TREE)
        (into / _PINS).write_bytes(msgspec.json.encode(pins))

    folder = cache.obtain("wheels", key, fill)
    pins = msgspec.json.decode((folder / _PINS).read_bytes(), type=tuple[Wheel, ...])
    if not pins:
        return Wheels()
    return Wheels(pins, *wheels.needs(folder / _TREE, python, platform), folder / _TREE)
