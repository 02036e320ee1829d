"""Images inside text and objects: msgspec's hook for Image.

It raises ValueError, because msgspec adds the path of the member to a ValueError.
"""

from __future__ import annotations

from typing import Any

from edgefn.codec.request.body import base64_text
from edgefn.errors import InputError, PictureTooLarge
from edgefn.images.image import Image


def build(wanted: type, value: Any) -> Any:
    """Build an Image, from base64 in JSON or bytes in msgpack: msgspec's hook for types it does not know."""
    if wanted is not Image:
        raise NotImplementedError(f"{wanted.__name__} cannot be read")
    try:
        if isinstance(value, str):
            return read_image(base64_text.decoded(value.encode()))
        if isinstance(value, bytes):
            return read_image(value)
    except PictureTooLarge:
        raise  # as a 413
    except InputError as error:
        raise ValueError(str(error)) from error  # msgspec adds the path to a ValueError
    raise ValueError("Expected an image, as base64 text in JSON or bytes in msgpack")


def read_image(data: bytes) -> Image:
    """Return the image of `data`, its header checked. Raise InputError."""
    image = Image(data)
    image.read_header()
    return image
