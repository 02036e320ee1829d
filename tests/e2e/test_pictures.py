"""Pictures as clients send them to a real box: each kind is read in the sandbox, each refusal says why."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest

from tests.e2e.box import RunningBox

Deployed = Callable[[str], RunningBox]

_SIZE = (96, 64)


def _grey(size: tuple[int, int] = _SIZE) -> PIL.Image.Image:
    return PIL.Image.linear_gradient("L").resize(size)


def _file(pixels: PIL.Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    pixels.save(file, format, **options)
    return file.getvalue()


_WIDE = PIL.Image.fromarray(np.asarray(_grey()).astype(np.uint16) * 257)
_UNIT = PIL.Image.fromarray(np.asarray(_grey()).astype(np.float32) / 255)

KINDS = {
    "JPEG": _file(_grey(), "JPEG", quality=95),
    "PNG of 16 bits": _file(_WIDE, "PNG"),
    "TIFF of 16 bits": _file(_WIDE, "TIFF", compression="tiff_lzw"),
    "TIFF of floats": _file(_UNIT, "TIFF"),
    "BigTIFF": _file(_grey(), "TIFF", big_tiff=True),
    "AVIF": _file(_grey(), "AVIF", quality=95),
    "JPEG 2000": _file(_grey(), "JPEG2000"),
    "WebP": _file(_grey(), "WEBP", lossless=True),
    "JPEG without its end": _file(_grey(), "JPEG", quality=95)[:-2],
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_pictures_are_read_in_the_sandbox(deployed: Deployed, kind: str) -> None:
    """Each codec has there what it needs; black is black and white is white."""
    answer = deployed("glance").send("glance", KINDS[kind], "application/octet-stream")
    assert answer.status_code == 200, answer.text
    seen = answer.json()
    assert (seen["width"], seen["height"], seen["pages"]) == (*_SIZE, 1)
    assert seen["low"] <= 4
    assert seen["high"] >= 251


def test_a_page_is_chosen(deployed: Deployed) -> None:
    """A scan of two pages of different sizes; a third is the caller's mistake."""
    scan = _file(_grey(), "TIFF", save_all=True, append_images=[_grey((32, 16))])
    send = deployed("glance").http.post
    headers = {"content-type": "image/tiff"}
    second = send("/fn/glance?page=1", content=scan, headers=headers).json()
    assert (second["width"], second["height"], second["pages"]) == (32, 16, 2)
    third = send("/fn/glance?page=2", content=scan, headers=headers)
    assert (third.status_code, third.json()["field"]) == (400, "photo")
    assert "has 2 pages, and no page 2" in third.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "format", "options"),
    [("PNG", "PNG", {}), ("progressive JPEG", "JPEG", {"progressive": True}), ("WebP", "WEBP", {"method": 0})],
)
def test_a_picture_larger_than_the_memory_is_413(
    deployed: Deployed, kind: str, format: str, options: dict[str, Any]
) -> None:
    """Told as that, not as damaged, nor as a crash; the instance lives on, and reads the next."""
    box = deployed("glance")
    before = box.send("glance", KINDS["JPEG"], "image/jpeg").json()["pid"]
    large = _file(PIL.Image.new("RGB", (7000, 6000), "white"), format, **options)
    for _ in range(3):
        answer = box.send("glance", large, "application/octet-stream")
        assert answer.status_code == 413, answer.text
        problem = answer.json()
        assert (problem["error"], problem["field"]) == ("PictureTooLarge", "photo")
        assert "photo: is 7000x6000 pixels, which need at least" in problem["detail"]
        assert "or give the function more `memory`" in problem["detail"]
    after = box.send("glance", KINDS["JPEG"], "image/jpeg").json()
    assert (after["pid"], after["width"]) == (before, 96)


def test_a_broken_file_of_the_functions_own_is_its_authors(deployed: Deployed) -> None:
    """500, with the path and the trace in the function's log: the caller's picture is whole."""
    box = deployed("glance")
    answer = box.http.post("/fn/glance?own=true", content=KINDS["JPEG"], headers={"content-type": "image/jpeg"})
    assert (answer.status_code, answer.json()["error"]) == (500, "HandlerError")
    logged = box.logs("glance")
    assert answer.json()["id"] in logged
    assert "ValueError" in logged
    assert "mask.png: is a truncated or damaged PNG image" in logged


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_what_arrived_is_given_to_a_lenient_function(deployed: Deployed, format: str) -> None:
    """Half a photo: 200 with the rest grey where the function asks for it, 400 elsewhere."""
    noise = PIL.Image.fromarray(np.random.default_rng(3).integers(150, 250, (160, 160, 3), dtype=np.uint8))
    half = _file(noise, format)
    half = half[: len(half) // 2]
    answer = deployed("forgives").send("forgives", half, "image/jpeg")
    assert answer.status_code == 200, answer.text
    width, height, first, last = answer.json()
    assert (width, height, last) == (160, 160, 128)
    assert 190 < first < 210
    refused = deployed("glance").send("glance", half, "image/jpeg")
    assert refused.status_code == 400
    assert f"photo: is a truncated or damaged {format} image" in refused.json()["detail"]
