"""What a format can hold: sizes, and modes without a loss that could be avoided."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL.Image
import pytest

from edgefn import Image
from edgefn.images.encoder import MAX_SIDE, holds


@pytest.mark.parametrize(("format", "most"), [("JPEG", 65_500), ("WEBP", 16_383), ("PNG", 70_000)])
@pytest.mark.parametrize("upright", [False, True])
def test_a_format_holds_what_it_encodes(format: Any, most: int, upright: bool) -> None:
    """Up to its largest side, which the codec itself confirms; beyond it a ValueError names another format."""
    size = (1, most) if upright else (most, 1)
    assert holds(format, size)
    assert Image(Image.from_pil(PIL.Image.new("L", size)).encode(format)).size == size
    if format == "PNG":
        return
    larger = (1, most + 1) if upright else (most + 1, 1)
    assert not holds(format, larger)
    with pytest.raises(
        ValueError, match=f"does not fit {format}, which has at most {most:,} pixels along a side: encode it as PNG"
    ):
        Image.from_pil(PIL.Image.new("L", larger)).encode(format)


def test_every_format_has_a_limit() -> None:
    """Each that `encode` takes; and the message names all that fit."""
    assert set(MAX_SIDE) == {"PNG", "JPEG", "WEBP"}
    with pytest.raises(ValueError, match="encode it as PNG or JPEG, or make it smaller"):
        Image.from_pil(PIL.Image.new("L", (20_000, 1))).encode("WEBP")


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBA", "P"])
@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_transparency_is_kept_where_it_can_be(mode: str, format: Any) -> None:
    """Whichever mode holds it."""
    pixels = PIL.Image.new("RGBA", (4, 1), (10, 20, 30, 255))
    pixels.putpixel((1, 0), (10, 20, 30, 0))
    if mode == "P":
        pixels = PIL.Image.frombytes("P", (4, 1), bytes([0, 1, 0, 0]))
        pixels.putpalette([10, 20, 30, 10, 20, 30])
        pixels.info["transparency"] = b"\xff\x00"
    else:
        pixels = pixels.convert(mode)
    file = Image.from_pil(pixels).encode(format, quality=100)
    alpha = PIL.Image.open(io.BytesIO(file)).convert("RGBA").getchannel("A")
    assert np.asarray(alpha).tolist() == [[255, 0, 255, 255]]
