"""Sample requests that the zygote plays through, so that no function's first caller pays for what happens only once.

Reading a photo, running a handler and encoding its answer import modules and fill tables. Done here, they lie in pages
that every fork shares: the first photo of an instance was decoded in 5 ms, now in 1. No line of a user's code runs.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any, Final

import msgspec
import numpy as np
from PIL.Image import new

from edgefn import Image, edge_function
from edgefn.function import EdgeFunction
from edgefn.model import models_of
from edgefn_runtime.child.serving import Service
from edgefn_runtime.wire.messages import Answer, Invoke


class Seen(msgspec.Struct, frozen=True):
    """A sample answer of a handler."""

    label: str
    score: float


def look(image: Image) -> list[Seen]:
    """Resize a photo, as most handlers of photos do."""
    pixels = image.array((16, 16), resample="bicubic").astype(np.float32)
    chances = np.exp(pixels[0, :, 0] / 255)
    return [Seen("", float(chances[place])) for place in np.argsort(-chances)[:2]]


def count(n: int) -> dict[str, int]:
    """Take a number, and return an object."""
    return {"n": n + 1}


def warm_up() -> None:
    """Play all sample requests through in this process."""
    for warmup in WARMUPS:
        warmup()


def import_one() -> None:
    """Import a module as a function's is imported, from a folder that Python does not know.

    The module is this one; nothing of the import stays.
    """
    folder, _, name = __file__.removesuffix(".py").rpartition(os.sep)
    sys.path.insert(0, folder)
    try:
        models_of(importlib.import_module(name))
    finally:
        sys.path.remove(folder)
        sys.path_importer_cache.pop(folder, None)
        sys.modules.pop(name, None)


def serve_an_object() -> None:
    """Serve an object of one number."""
    _serve(edge_function(count), "application/json", b'{"n": 1}')


def serve_a_photo() -> None:
    """Serve a small photo."""
    photo = io.BytesIO()
    new("RGB", (64, 48)).save(photo, "JPEG")
    _serve(edge_function(look), "image/jpeg", photo.getvalue())


WARMUPS: Final = (import_one, serve_an_object, serve_a_photo)
"""Each by itself; first what every function needs."""


def _serve(function: EdgeFunction[..., Any], content_type: str, body: bytes) -> None:
    invoke = Invoke(1, 0.0, content_type, "", "")
    reply, _ = Service(function, "").call(invoke, body)
    assert isinstance(reply, Answer), reply
