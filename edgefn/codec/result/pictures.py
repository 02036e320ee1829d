"""A picture of a result in each form: the image types of HTTP, and whether one of them can hold its size."""

from __future__ import annotations

from edgefn.codec.result.unholdable import Unholdable
from edgefn.images.encoder import MAX_SIDE, holds
from edgefn.images.image import EncodedFormat, Image

PNG, JPEG, WEBP = "image/png", "image/jpeg", "image/webp"
FORMATS: dict[str, EncodedFormat] = {PNG: "PNG", JPEG: "JPEG", WEBP: "WEBP"}


def to_file(image: Image, format: EncodedFormat) -> bytes:
    """Encode `image` as a file of `format`.

    Raise Unholdable where the format is too small for it, RuntimeError where the picture is broken. A broken picture is
    no reason to try another form: the form of its own file would send it unchanged.
    """
    check(image, format)
    try:
        return image.encode(format)
    except ValueError as error:
        raise RuntimeError(f"cannot write a picture of the result as {format}: {error}") from error


def check(image: Image, format: EncodedFormat) -> None:
    """Raise Unholdable where `format` cannot hold a picture of the image's size."""

    width, height = image.size
    if min(width, height) < 1:
        raise Unholdable(f"is an empty picture of {width}x{height} pixels")
    if not holds(format, image.size) and not (image.file and image.format == format):
        raise Unholdable(
            f"is a picture of {width}x{height} pixels, and {format} has at most {MAX_SIDE[format]:,} along a side"
        )


def came_as(image: Image) -> str | None:
    """Return the image type of the bytes that `image` was made of; None where that type is never sent."""
    return next((media for media, format in FORMATS.items() if image.file and image.format == format), None)
