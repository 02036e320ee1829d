"""Every kind of file that Pillow writes, in every mode, cut and altered: pixels that Pillow has too, or InputError.

Nothing else gets out: no other exception, no warning, no word on stderr.
"""

from __future__ import annotations

import io
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageOps

from edgefn import Image, InputError
from edgefn.images.modes import MODES, converted

Encode = Callable[..., bytes]

_OPTIONS: dict[str, list[dict[str, Any]]] = {
    "JPEG": [{}, {"progressive": True}],
    "PNG": [{}],
    "WEBP": [{}, {"lossless": True}],
    "GIF": [{}],
    "BMP": [{}],
    "TIFF": [{}, {"compression": "tiff_lzw"}, {"compression": "packbits"}, {"big_tiff": True}],
    "AVIF": [{}],
    "JPEG2000": [{}, {"no_jp2": True}],
}
_RANGES = {"F": 1 / 255, "I": 257, "I;16": 257, "I;16L": 257, "I;16B": 257, "I;16N": 257}
_LARGE = 18
"""Rows of the pictures: three of JPEG's blocks, the last not whole."""


def _drawn(mode: str) -> PIL.Image.Image:
    y, x = np.mgrid[0:_LARGE, 0:25]
    colours = PIL.Image.fromarray(np.stack([x * 10, y * 12, (x + y) * 5], -1).astype(np.uint8))
    if mode not in _RANGES:
        return converted(colours, mode)
    return (
        converted(converted(colours, "F").point(lambda value: value * _RANGES[mode] + 0), "F")
        if mode == "F"
        else (converted(converted(converted(colours, "L"), "I").point(lambda value: value * 257 + 0), mode))
    )


@cache
def corpus() -> dict[str, bytes]:
    """The files by format, mode and options, of those that Pillow writes."""
    files = {}
    for format, variants in _OPTIONS.items():
        for mode in MODES:
            for options in variants:
                file = io.BytesIO()
                try:
                    _drawn(mode).save(file, format, **options)
                except (OSError, KeyError, ValueError, SystemError):
                    continue
                if (format, mode, options) != ("TIFF", "I;16B", {"big_tiff": True}):  # Pillow loses the pixels' place
                    files[f"{format} {mode} {options}"] = file.getvalue()
    return files


@contextmanager
def _silent() -> Iterator[None]:
    """Warnings are errors, and what any library writes to stderr is one."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        written.seek(0)
        assert written.read() == b""


def _check(name: str, data: bytes) -> bool:
    """Whether `data` is read; what is read is what Pillow reads."""
    try:
        image = Image(data)
        array, resized = image.array(), image.array((8, 8))
        assert image.size == array.shape[1::-1], name
        assert resized.shape == (8, 8, 3), name
    except InputError:
        return False
    pixels = _by_pillow(data)
    if pixels is not None:
        np.testing.assert_array_equal(array, np.asarray(converted(pixels, "RGB")), err_msg=name)
    return True


def _by_pillow(data: bytes) -> PIL.Image.Image | None:
    """What Pillow reads, upright; None where it reads nothing (a JPEG of which only the end is missing, say)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            opened = PIL.Image.open(io.BytesIO(data))
            opened.load()
            pixels = ImageOps.exif_transpose(opened)
        except Exception:
            return None
    white_is_zero = getattr(opened, "tag_v2", {}).get(262) == 0
    if white_is_zero and pixels.mode.startswith("I;16"):  # which Pillow leaves as they are
        return PIL.Image.frombytes(pixels.mode, pixels.size, bytes(255 - value for value in pixels.tobytes()))
    return pixels


def test_the_corpus_is_read() -> None:
    """Every file of it, in every mode, as Pillow reads it."""
    files = corpus()
    assert len(files) > 100
    with _silent():
        for name, data in files.items():
            assert _check(name, data), name


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "LAB"])
def test_the_corpus_is_read_in_every_mode(mode: str) -> None:
    """But for floats that are no whole numbers, in modes of whole numbers."""
    with _silent():
        for name, data in corpus().items():
            if " F " in name and "TIFF" in name and mode.startswith("I"):
                with pytest.raises(InputError, match=r"with fractions, which mode I.* cannot hold"):
                    Image(data).pil(mode)
            else:
                assert Image(data).pil(mode).mode == mode


@pytest.mark.parametrize("step", [pytest.param(10, marks=pytest.mark.long), 90])
def test_cut_files_are_refused_or_read(step: int) -> None:
    """Each file, cut at every tenth byte, or at fewer."""
    with _silent():
        for number, (name, data) in enumerate(corpus().items()):
            for length in range(number % step, len(data), step):
                _check(f"{name} cut at {length}", data[:length])


@given(st.data())
@settings(max_examples=300)
def test_altered_files_are_refused_or_read(data: st.DataObject) -> None:
    """Bytes changed, inserted and left out."""
    name = data.draw(st.sampled_from(sorted(corpus())))
    file = bytearray(corpus()[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(file) - 1))
        match data.draw(st.sampled_from(["change", "insert", "leave out"])):
            case "change":
                file[at] = data.draw(st.integers(0, 255))
            case "insert":
                file[at:at] = data.draw(st.binary(min_size=1, max_size=8))
            case _:
                del file[at : at + data.draw(st.integers(1, 8))]
    with _silent():
        _check(name, bytes(file))
    lenient = Image(bytes(file), lenient=True)
    try:
        assert lenient.array((8, 8)).shape == (8, 8, 3)
    except InputError:
        return


@pytest.mark.parametrize("page", [0, 1, 2])
@given(st.data())
@settings(max_examples=40)
def test_altered_pages_are_refused_or_read(page: int, data: st.DataObject) -> None:
    """Of every format that has some."""
    format = data.draw(st.sampled_from(["TIFF", "GIF", "PNG", "WEBP", "AVIF"]))
    frames = [_drawn("RGB").rotate(angle) for angle in (0, 90, 180)]
    file = io.BytesIO()
    frames[0].save(file, format, save_all=True, append_images=frames[1:])
    altered = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(0, 3))):
        altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
    with _silent():
        try:
            image = Image(bytes(altered))
            assert image.pages >= 1
            assert image.page(page).array((8, 8)).shape == (8, 8, 3)
        except InputError:
            return
