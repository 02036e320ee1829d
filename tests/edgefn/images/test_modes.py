"""A picture stays what it shows in every mode: checked by NumPy, for every mode that Pillow has to every other."""

from __future__ import annotations

import colorsys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL.Image import Image as Pixels

from edgefn import Image, InputError
from edgefn.images.modes import EIGHT_BITS, MODES, converted
from edgefn.images.wide import WIDE

Colour = tuple[float, float, float]


def _clipped(value: float) -> float:
    return min(255.0, max(0.0, value))


def _of_ycbcr(y: int, cb: int, cr: int) -> Colour:
    """JFIF 1.02, page 3."""
    blue, red = cb - 128, cr - 128
    return _clipped(y + 1.402 * red), _clipped(y - 0.344136 * blue - 0.714136 * red), _clipped(y + 1.772 * blue)


def _of_lab(lightness: int, a: int, b: int) -> Colour:
    """CIE 15, 8.2.1, of D50, to sRGB by Bradford's matrix (IEC 61966-2-1); `a` and `b` as signed bytes."""
    middle = (lightness * 100 / 255 + 16) / 116
    x, y, z = (
        white * (edge**3 if edge > 6 / 29 else 3 * (6 / 29) ** 2 * (edge - 4 / 29))
        for white, edge in (
            (0.9642, middle + np.int8(a & 255 if a < 128 else a - 256) / 500),
            (1.0, middle),
            (0.8249, middle - np.int8(b & 255 if b < 128 else b - 256) / 200),
        )
    )
    linear = (
        3.1339 * x - 1.6169 * y - 0.4906 * z,
        -0.9788 * x + 1.9161 * y + 0.0335 * z,
        0.0719 * x - 0.2290 * y + 1.4052 * z,
    )
    curved = (12.92 * one if one <= 0.0031308 else 1.055 * one ** (1 / 2.4) - 0.055 for one in linear)
    red, green, blue = (_clipped(255 * one) for one in curved)
    return red, green, blue


def _of_hsv(hue: int, saturation: int, value: int) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue / 255, saturation / 255, value / 255)
    return red * 255, green * 255, blue * 255


def _grey(value: float, *_: int) -> Colour:
    return value, value, value


def _premultiplied(*channels: int) -> Colour:
    *colours, alpha = (_clipped(value * 255 / max(1, channels[-1])) for value in channels)
    assert alpha >= 0
    return tuple(colours * 3 if len(colours) == 1 else colours)  # type: ignore[return-value]


_SHOWN: dict[str, Callable[..., Colour]] = {
    "1": lambda value: _grey(255 * bool(value)),
    "L": _grey,
    "LA": _grey,
    "La": _premultiplied,
    "RGB": lambda *rgb: rgb,
    "RGBA": lambda *rgba: rgba[:3],
    "RGBX": lambda *rgbx: rgbx[:3],
    "RGBa": _premultiplied,
    "CMYK": lambda c, m, y, k: tuple((255 - ink) * (255 - k) / 255 for ink in (c, m, y)),
    "YCbCr": _of_ycbcr,
    "HSV": _of_hsv,
    "LAB": _of_lab,
}
"""What a pixel of a mode shows, in RGB."""

_TOLERANCE = {"P": 52, "PA": 52, "LAB": 24, "HSV": 8, "YCbCr": 3, "La": 3, "RGBa": 3}
"""Steps of 255 that a mode costs: half of the web palette's 51 and its dither, rounding twice."""


def _shown(pixels: Pixels) -> NDArray[np.float64]:
    """The mean colour of a picture of one colour."""
    if pixels.mode in ("P", "PA"):
        pixels = pixels.convert("RGB")
    raw = np.frombuffer(pixels.convert("L").tobytes() if pixels.mode == "1" else pixels.tobytes(), np.uint8)
    channels = raw.reshape(pixels.width * pixels.height, -1)
    if pixels.mode != "1":
        assert (channels == channels[0]).all() or pixels.mode == "RGB"  # of a dithered palette
        channels = channels.astype(float)
        if len(np.unique(channels, axis=0)) == 1:
            return np.array(_SHOWN[pixels.mode](*(int(value) for value in channels[0])))
        return np.asarray(channels.mean(axis=0))
    return np.full(3, channels.mean())


def _flat(mode: str, value: Any) -> Pixels:
    return PIL.Image.frombytes(mode, (16, 16), bytes(value) * 256)


_SOURCES = [mode for mode in EIGHT_BITS if mode not in ("1", "P", "PA", "LAB", "La", "RGBa")]


@pytest.mark.parametrize("source", _SOURCES)
@given(st.binary(min_size=4, max_size=4))
@settings(max_examples=6)
def test_a_colour_stays_what_it_is(source: str, value: bytes) -> None:
    """From each mode of 8 bits to each other: the colour seen is the same, grey is its brightness."""
    bands = len(PIL.Image.new(source, (1, 1)).getbands())
    given_pixels = _flat(source, value[:bands])
    red, green, blue = seen = np.array(_SHOWN[source](*value[:bands]))
    grey = value[0] if source == "YCbCr" else 0.299 * red + 0.587 * green + 0.114 * blue
    for target in EIGHT_BITS:
        if target in ("La", "RGBa") and source in ("LA", "RGBA") and value[bands - 1] < 128:
            continue  # of what is nearly transparent hardly a colour is left
        made = converted(given_pixels, target)
        assert (made.mode, made.size) == (target, given_pixels.size)
        expected = np.full(3, grey) if target in ("1", "L", "LA", "La") else seen
        tolerance = 16 if target == "1" else _TOLERANCE.get(target, 2) + _TOLERANCE.get(source, 2)
        np.testing.assert_allclose(_shown(made), expected, atol=tolerance, err_msg=f"{source} to {target}")


@pytest.mark.parametrize("source", ["LAB", "La", "RGBa", "PA", "P", "1"])
def test_a_colour_of_a_rare_mode_stays_what_it_is(source: str) -> None:
    """Of modes whose values are not all colours: made from colours, then to each mode and back."""
    for colour in ((255, 255, 255), (0, 0, 0), (204, 102, 51), (51, 153, 204)):
        first = PIL.Image.new("RGBA", (16, 16), (*colour, 255))
        made = converted(first, source)
        if source == "1" and colour[0] not in (0, 255):
            continue  # dithered
        grey = np.full(3, np.dot(colour, (0.299, 0.587, 0.114)))
        expected = grey if source in ("1", "La") else np.array(colour)
        for target in EIGHT_BITS:
            wanted = grey if target in ("1", "L", "LA", "La") else expected
            tolerance = 16 if target == "1" else 8 if target not in ("P", "PA") else 52
            np.testing.assert_allclose(
                _shown(converted(made, target)), wanted, atol=tolerance, err_msg=f"{colour} in {source} to {target}"
            )


_VALUES = np.array([[0, 255, 256, 1000], [32767, 40000, 65280, 65535]])


def _wide(mode: str, values: NDArray[Any]) -> Pixels:
    return PIL.Image.frombytes(mode, values.shape[::-1], values.astype(WIDE[mode]).tobytes())


@pytest.mark.parametrize("target", EIGHT_BITS)
@pytest.mark.parametrize("source", [mode for mode in WIDE if mode != "F"])
def test_16_bits_become_8_by_scaling(source: str, target: str) -> None:
    """Black is black, white is white, all between them in proportion; whichever mode is asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = Image.from_pil(_wide(source, _VALUES)).pil(target)
    eight = PIL.Image.fromarray((_VALUES // 256).astype(np.uint8))
    by_way_of = {"La": "LA", "RGBa": "RGBA"}.get(target, target)
    assert made.mode == target
    assert made.tobytes() == eight.convert(by_way_of).convert(target).tobytes()


@pytest.mark.parametrize("target", EIGHT_BITS)
def test_floats_become_8_bits_by_scaling(target: str) -> None:
    """0 is black and 1 is white; the rounding of a resampling beyond them does no harm."""
    values = np.array([[0, 0.25, 0.5], [0.75, 1, 1.0001], [-0.0001, 0.002, 0.999]])
    eight = PIL.Image.fromarray(np.rint(values.clip(0, 1) * 255).astype(np.uint8))
    by_way_of = {"La": "LA", "RGBa": "RGBA"}.get(target, target)
    assert (
        Image.from_pil(_wide("F", values)).pil(target).tobytes() == eight.convert(by_way_of).convert(target).tobytes()
    )


@pytest.mark.parametrize("source", WIDE)
@pytest.mark.parametrize("target", WIDE)
def test_wide_modes_keep_the_values(source: str, target: str) -> None:
    """16 bits, 32 bits and floats hold the same numbers, in either byte order, over several bands of rows too."""
    values = np.resize(_VALUES, (1030, 1100))
    made = converted(_wide(source, values), target)
    assert made.mode == target
    np.testing.assert_array_equal(np.frombuffer(made.tobytes(), WIDE[target]).reshape(values.shape), values)


@pytest.mark.parametrize("source", EIGHT_BITS)
@pytest.mark.parametrize("target", WIDE)
def test_wide_modes_hold_the_values_of_8_bits(source: str, target: str) -> None:
    """Nothing is scaled up: what was 200 in grey is 200."""
    pixels = converted(PIL.Image.new("L", (4, 4), 200), source)
    made = np.frombuffer(converted(pixels, target).tobytes(), WIDE[target])
    grey = np.frombuffer(converted(pixels, "L").tobytes(), np.uint8)
    np.testing.assert_allclose(made, grey, atol=1)


@pytest.mark.parametrize(
    ("mode", "values", "found"),
    [
        ("F", [[0, 255]], "floats from 0 to 255, but 8 bits only hold 0 .black. to 1 .white."),
        ("F", [[-0.5, 1]], r"floats from -0\.5 to 1, "),
        ("F", [[0, np.nan]], "floats, some of them NaN"),
        ("F", [[0, np.inf]], "floats from 0 to inf, "),
        ("I", [[-1, 65535]], r"integers from -1 to 65535, but 8 bits only hold 0 .black. to 65535 .white."),
        ("I", [[0, 2**31 - 1]], "integers from 0 to 2147483647, "),
    ],
)
def test_an_unknown_range_is_refused(mode: str, values: list[list[float]], found: str) -> None:
    """With the range that was found and the way out, which works; in every mode of 8 bits, resized and encoded."""
    pixels = _wide(mode, np.array(values))
    for target in EIGHT_BITS:
        with pytest.raises(InputError, match=f"photo: is a picture of {found}.*\\.pil\\('{mode}'\\)"):
            converted(pixels, target, "photo")
    image = Image.from_pil(pixels)
    for read in (image.array, lambda: image.array((1, 1)), lambda: image.encode("PNG")):
        with pytest.raises(ValueError, match="is a picture of"):
            read()
    assert image.pil(mode).tobytes() == pixels.tobytes()


@pytest.mark.parametrize(
    ("source", "target", "values"),
    [
        ("F", "I", [[0.5, 1]]),
        ("F", "I;16", [[-1, 1]]),
        ("F", "I", [[0, 2.0**31]]),
        ("F", "I", [[0, np.nan]]),
        ("I", "I;16", [[0, 65536]]),
        ("I", "I;16B", [[-1, 0]]),
    ],
)
def test_a_wide_mode_that_cannot_keep_the_values_is_refused(
    source: str, target: str, values: list[list[float]]
) -> None:
    """Rather than cut them off."""
    with pytest.raises(InputError, match=rf"which mode {target} cannot hold: use \.pil\('{source}'\)"):
        converted(_wide(source, np.array(values)), target)


def _transparent(mode: str) -> tuple[Pixels, list[int]]:
    """A picture of three pixels, the second transparent, and the alpha that it shows."""
    if mode in ("LA", "RGBA", "PA"):
        pixels = converted(PIL.Image.new("L", (3, 1), 100), mode)
        pixels.putalpha(PIL.Image.frombytes("L", (3, 1), bytes([255, 0, 77])))
        return pixels, [255, 0, 77]
    values = np.array([[10, 20, 30]])
    if mode == "I;16":
        pixels = _wide(mode, values * 256)
        pixels.info["transparency"] = 20 * 256
    elif mode == "RGB":
        pixels = PIL.Image.fromarray(np.repeat(values[..., None], 3, axis=2).astype(np.uint8))
        pixels.info["transparency"] = (20, 20, 20)
    else:
        pixels = PIL.Image.fromarray(values.astype(np.uint8))
        if mode == "P":
            pixels = pixels.convert("P")
        pixels.info["transparency"] = 20 if mode == "L" else bytes([255] * 20 + [0] + [255] * 9 + [77])
        if mode == "P":
            return pixels, [255, 0, 77]
    return pixels, [255, 0, 255]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "PA", "I;16"])
def test_alpha_is_kept_or_dropped(mode: str) -> None:
    """A transparent colour, palette or channel is alpha where the mode has one; elsewhere only the colours are left."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for target in MODES:
            pixels, alpha = _transparent(mode)
            made = Image.from_pil(pixels).pil(target)
            assert (made.mode, made.size) == (target, (3, 1))
            if target in ("LA", "RGBA", "PA", "La", "RGBa"):
                assert list(made.getchannel(len(made.getbands()) - 1).tobytes()) == alpha, target
            elif target in ("L", "RGB"):
                colours = converted(pixels, "RGBA").convert("RGB").convert(target)
                assert made.tobytes() == colours.tobytes(), target


def test_a_mode_that_is_none_is_refused() -> None:
    """With the nearest that is one, before anything is decoded."""
    with pytest.raises(ValueError, match="mode is 'RGV'; did you mean \"RGB\""):
        Image(b"").pil("RGV")
