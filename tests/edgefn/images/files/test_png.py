"""PNG files of every kind that the standard knows: made by hand, and read as NumPy has their pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgefn import Image

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_KINDS = [
    *((GREY, depth) for depth in (1, 2, 4, 8, 16)),
    *((RGB, depth) for depth in (8, 16)),
    *((PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((kind, depth) for kind in (GREY_ALPHA, RGBA) for depth in (8, 16)),
]
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""First row and column, and steps between rows and columns, of each pass."""


def png(
    samples: NDArray[Any], kind: int, depth: int, *, interlaced: bool = False, chunks: Mapping[str, bytes] | None = None
) -> bytes:
    """A PNG of `samples` (height, width, channels), with further `chunks` before its pixels."""
    passes = [samples[top::down, left::across] for top, left, down, across in _ADAM7] if interlaced else [samples]
    rows = b"".join(_rows(one, depth) for one in passes if one.size)
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, kind, 0, 0, int(interlaced))
    found = {"IHDR": header, **(chunks or {}), "IDAT": zlib.compress(rows), "IEND": b""}
    made = b"\x89PNG\r\n\x1a\n"
    for name, body in found.items():
        made += (
            struct.pack(">I", len(body)) + name.encode() + body + struct.pack(">I", zlib.crc32(name.encode() + body))
        )
    return made


def _rows(samples: NDArray[Any], depth: int) -> bytes:
    if depth == 16:
        packed: NDArray[Any] = samples.astype(">u2").reshape(len(samples), -1).view(np.uint8)
    else:
        bits = np.unpackbits(samples.reshape(len(samples), -1, 1).astype(np.uint8), axis=2)[..., 8 - depth :]
        packed = np.packbits(bits.reshape(len(samples), -1), axis=1)
    return np.pad(packed, ((0, 0), (1, 0))).tobytes()  # filter 0 before each


def _samples(kind: int, depth: int, size: tuple[int, int]) -> NDArray[Any]:
    channels = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}[kind]
    return np.random.default_rng(depth).integers(0, 2**depth, (*size, channels))


_COLOURS = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)


@pytest.mark.parametrize(("kind", "depth"), _KINDS)
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (17, 33)])
def test_every_kind_of_pixel_is_read(kind: int, depth: int, interlaced: bool, size: tuple[int, int]) -> None:
    """Colour types × depths, interlaced or not: 8-bit RGB as the standard has it, grey and alpha in their modes."""
    samples = _samples(kind, depth, size)
    chunks = {"PLTE": _COLOURS[: 2**depth].tobytes()} if kind == PALETTE else {}
    image = Image(png(samples, kind, depth, interlaced=interlaced, chunks=chunks))
    eight = samples >> 8 if depth == 16 else samples * 255 // (2**depth - 1)
    if kind == PALETTE:
        expected = _COLOURS[samples[..., 0]]
    else:
        expected = np.repeat(eight[..., :1], 3, axis=2) if kind in (GREY, GREY_ALPHA) else eight[..., :3]
    np.testing.assert_array_equal(image.array(), expected)
    if kind in (GREY, GREY_ALPHA):
        np.testing.assert_array_equal(np.asarray(image.pil("L")), expected[..., 0])
    alpha = eight[..., -1] if kind in (GREY_ALPHA, RGBA) else np.full(size, 255)
    for mode in ("RGBA", "LA"):
        np.testing.assert_array_equal(np.asarray(image.pil(mode))[..., -1], alpha)
    if (kind, depth) == (GREY, 16):
        np.testing.assert_array_equal(np.asarray(image.pil("I")), samples[..., 0])


@pytest.mark.parametrize(("kind", "depth"), [one for one in _KINDS if one[0] in (GREY, RGB, PALETTE)])
def test_a_transparent_colour_is_alpha(kind: int, depth: int) -> None:
    """tRNS: one colour of grey and RGB, an alpha for each of a palette; dropped where there is no alpha."""
    samples = _samples(kind, depth, (9, 9))
    palette = {"PLTE": _COLOURS[: 2**depth].tobytes()} if kind == PALETTE else {}
    if kind == PALETTE:
        alphas = np.arange(2**depth, dtype=np.uint8)[::-1]
        data = png(samples, kind, depth, chunks=palette | {"tRNS": alphas.tobytes()})
        expected = alphas[samples[..., 0]]
    else:
        clear = samples[4, 4]
        data = png(samples, kind, depth, chunks={"tRNS": clear.astype(">u2").tobytes()})
        expected = np.where((samples == clear).all(axis=2), 0, 255).astype(np.uint8)
    image = Image(data)
    opaque = Image(png(samples, kind, depth, chunks=palette))
    np.testing.assert_array_equal(image.array(), opaque.array())
    np.testing.assert_array_equal(np.asarray(image.pil("L")), np.asarray(opaque.pil("L")))
    for mode in ("RGBA", "LA"):
        np.testing.assert_array_equal(np.asarray(image.pil(mode))[..., -1], expected, err_msg=mode)
