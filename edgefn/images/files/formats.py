"""Kinds of pictures by their first bytes: those that are read, and those that are only known by name.

It must never decode, import Pillow, or call a text a picture: what is recognised here is handed to a decoder.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class Format(NamedTuple):
    """A kind of picture that is read: how it begins, and Pillow's plugin for it."""

    begins: Callable[[bytes], bool]
    module: str
    reader: str


def _magic(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(magics)


def _brands(data: bytes) -> set[bytes]:
    """Return the brands of an ISO base media file (ISO 14496-12, `ftyp`), none for any other data."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), len(data), 256)
    return {data[8:12], *(data[place : place + 4] for place in range(16, end - 3, 4))}


_AVIF = {b"avif", b"avis"}
_HEIC = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"}

FORMATS = {
    "JPEG": Format(_magic(b"\xff\xd8\xff"), "PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": Format(_magic(b"\x89PNG\r\n\x1a\n"), "PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": Format(
        lambda data: data.startswith(b"RIFF") and data[8:12] == b"WEBP", "PIL.WebPImagePlugin", "WebPImageFile"
    ),
    "GIF": Format(_magic(b"GIF8"), "PIL.GifImagePlugin", "GifImageFile"),
    "BMP": Format(_magic(b"BM"), "PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": Format(_magic(b"II*\x00"), "PIL.TiffImagePlugin", "TiffImageFile"),
    "TIFF (big-endian)": Format(_magic(b"MM\x00*"), "PIL.TiffImagePlugin", "TiffImageFile"),
    "BigTIFF": Format(_magic(b"II+\x00"), "PIL.TiffImagePlugin", "TiffImageFile"),
    "BigTIFF (big-endian)": Format(_magic(b"MM\x00+"), "PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": Format(lambda data: bool(_brands(data) & _AVIF), "PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIF": Format(lambda data: bool(_brands(data) & _HEIC), "pillow_heif.as_plugin", "HeifImageFile"),
    "JPEG2000": Format(
        _magic(b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"), "PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"
    ),
}

READ = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or JPEG 2000"

_UNREAD = (
    (rb"8BPS", "a Photoshop picture (PSD)"),
    (rb"%PDF-", "a PDF document"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "an Encapsulated PostScript picture (EPS)"),
    (rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]", "an SVG drawing"),
    (rb"\x00\x00\x01\x00[^\x00]\x00", "an icon (ICO)"),
    (rb"\x00\x00\x02\x00[^\x00]\x00", "a cursor (CUR)"),
    (rb"icns", "an icon (ICNS)"),
    (rb"P[1-7]\s|P[Ff]\s", "a Netpbm picture (PBM, PGM, PPM, PAM or PFM)"),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (rb"II\xbc", "a JPEG XR picture"),
    (rb"qoif", "a QOI picture"),
    (rb"DDS ", "a DirectDraw surface (DDS)"),
    (rb"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (rb"#\?(RADIANCE|RGBE)", "a Radiance HDR picture"),
    (rb"SIMPLE  =", "a FITS picture"),
    (rb".{128}DICM", "a DICOM picture"),
    (rb"gimp xcf", "a GIMP picture (XCF)"),
    (rb"\xd7\xcd\xc6\x9a|\x01\x00\x00\x00.{36} EMF", "a Windows metafile"),
    (rb"FUJIFILMCCD-RAW|IIU\x00|IIR[OS]|MMOR|FOVb|\x00MRM|.{4}ftypcrx ", "a camera's raw photo"),
    (rb"\x1aE\xdf\xa3|.{4}ftyp|RIFF.{4}AVI |FLV\x01|\x00\x00\x01\xba|.{4}(moov|mdat)", "a video"),
)
"""Pictures and films that people send in good faith. TGA has no first bytes of its own."""
_UNREAD_BEGINS = tuple((re.compile(begins, re.DOTALL), name) for begins, name in _UNREAD)


def named(name: str) -> str:
    """Return the name of a format with its article."""
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def recognise(data: bytes) -> str | None:
    """Return the name in FORMATS of the format that `data` begins as, or None when it is no picture that is read."""
    return next((name for name, known in FORMATS.items() if known.begins(data)), None)


def unread_kind(data: bytes) -> str | None:
    """Return what `data` begins as, with its article, when that is a known kind of picture or film that is not read."""
    head = data[:1024]
    return next((name for begins, name in _UNREAD_BEGINS if begins.match(head)), None)
