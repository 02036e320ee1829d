"""Pillow's plugins, one for each format that is read: imported when a picture needs them.

It must never ask Pillow which plugin reads a file.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgefn.errors import InputError
from edgefn.images.files import tiff
from edgefn.images.files.formats import FORMATS, READ, named

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_CODECS = {"AVIF": "_avif", "WEBP": "_webp"}
"""Pillow's modules of codecs that a plugin can do without."""


def reader(name: str, field: str) -> type[ImageFile]:
    """Return Pillow's plugin for a format. Raise InputError when this installation has none."""
    _, module, kind = FORMATS[name]
    missing = {"HEIF": "pillow-heif"}.get(name, f"a Pillow with {name}")
    try:
        plugin = import_module(module)
    except ImportError:
        raise InputError(_unsupported(name, missing), field=field) from None
    if "TIFF" in name:
        tiff.silence()
    if name in _CODECS and not plugin.SUPPORTED:
        _load_codec(vars(plugin), name, missing, field)
    if name == "AVIF":
        # One thread for each core would need 8 MiB of stack each; set only where nobody did.
        vars(plugin)["DEFAULT_MAX_THREADS"] = plugin.DEFAULT_MAX_THREADS or 1
    found: type[ImageFile] = getattr(plugin, kind)
    return found


def _load_codec(plugin: dict[str, Any], name: str, missing: str, field: str) -> None:
    """Load a codec that was not loaded with its plugin.

    Raise InputError when there is none, MemoryError for that.
    """
    try:
        plugin[_CODECS[name]] = import_module(f"PIL.{_CODECS[name]}")
    except ImportError as error:
        if "segment" in str(error) or "memory" in str(error):  # what ld.so says of a library that it cannot map
            raise MemoryError from error
        raise InputError(_unsupported(name, missing), field=field) from None
    plugin["SUPPORTED"] = True


def _unsupported(name: str, missing: str) -> str:
    return f"is {named(name)} picture, which needs {missing} to be installed; send {READ}"
