"""Real encoded images for the tests below."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest

Encode = Callable[..., bytes]


def _photo(width: int, height: int) -> PIL.Image.Image:
    """A smooth picture, as photographs are: gradients and a disc, different in each quarter."""
    y, x = np.mgrid[0:height, 0:width]
    disc = ((x - width * 0.3) ** 2 + (y - height * 0.4) ** 2 < (min(width, height) / 4) ** 2) * 80
    channels = (x * 175 // width + disc, y * 175 // height + disc, (x + y) * 255 // (width + height))
    return PIL.Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


@pytest.fixture(scope="session")
def encoded() -> Encode:
    """`encoded("JPEG", 640, 480, orientation=6)` is a file's bytes; further options go to Pillow's save."""

    def encode(
        format: str = "JPEG", width: int = 64, height: int = 48, *, mode: str = "RGB", orientation: int = 1, **save: Any
    ) -> bytes:
        picture = _photo(width, height).convert(mode)
        if orientation != 1:
            exif = PIL.Image.Exif()
            exif[0x0112] = orientation
            save["exif"] = exif
        file = io.BytesIO()
        picture.save(file, format, **save)
        return file.getvalue()

    return encode
