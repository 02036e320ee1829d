"""What a body is by its first bytes, whatever its sender calls it."""

from __future__ import annotations

import pickletools
import zipfile
import zlib
from io import BytesIO

from edgefn.codec.request.body import json_text
from edgefn.errors import InputError
from edgefn.images.decoder import EncodedPicture, open_header, recognise

Buffer = bytes | bytearray | memoryview

_HEAD = 256
_MAX_LOOKED_AT = 1 << 16
_MAX_OPCODES = 1000
_MAX_UNPACKED = 1 << 20
_FIRST = {
    b"%PDF-": "a PDF document",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"PAR1": "a Parquet file",
    b"ARROW1\0\0": "an Arrow file",
    b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file",
    b"(\xb5/\xfd": "a Zstandard file",
    b"\xfd7zXZ\0": "an xz file",
}
_BEGINNINGS = (
    *(b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"II", b"MM", b"\0\0\0", b"\xff\x4f"),  # pictures
    *_FIRST,
    *(b"PK", b"\x80", b"\x1f\x8b\x08", b"RIFF", b"{", b"[", b" ", b"\t", b"\r", b"\n", b"\xef\xbb\xbf"),
)
"""Nearly all raw numbers begin with none of these."""


def is_picture(body: Buffer) -> bool:
    """Tell whether `body` begins as a picture that `Image` reads."""
    return recognise(bytes(body[:_HEAD])) is not None


def file_kind(data: Buffer) -> str:
    """Return what kind of file `data` is ("a PNG picture"), "" where it is none that is known for certain.

    Raw numbers may begin as a file does; each kind is looked at further before it is named.
    """
    head = bytes(data[:_HEAD])
    if not head.startswith(_BEGINNINGS):
        return ""
    if (name := recognise(head)) and _is_whole_picture(bytes(data)):
        return f"a {name} picture"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and zipfile.is_zipfile(BytesIO(data)):
        return "a zip file (numpy.savez's .npz, or torch.save's)"
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and _is_pickle(bytes(data)):
        return "a pickle"
    if head.startswith(b"\x1f\x8b\x08") and _is_gzip(bytes(data)):
        return "a gzip file"
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "a WAV file"
    if json_text.is_document(data):
        return "JSON text"
    return next((kind for first, kind in _FIRST.items() if head.startswith(first)), "")


def _is_whole_picture(data: bytes) -> bool:
    try:
        open_header(EncodedPicture(data))
    except InputError as error:
        return "megapixels" in str(error)
    return True


def _is_pickle(data: bytes) -> bool:
    """Tell whether `data` is opcodes to its last byte, or begins with more of them than chance would give."""
    if not data.endswith(b"."):
        return False
    try:
        for number, (opcode, _, position) in enumerate(pickletools.genops(data)):
            if opcode.name == "STOP":
                return position == len(data) - 1
            if number > _MAX_OPCODES:
                return True
    except (ValueError, IndexError, UnicodeDecodeError):
        return False
    return False


def _is_gzip(data: bytes) -> bool:
    """Tell whether `data` unpacks to its checksum, or to more bytes than chance would give."""
    stream, unpacked = zlib.decompressobj(31), 0
    try:
        while not stream.eof and unpacked < _MAX_UNPACKED:
            piece = stream.decompress(data, _MAX_LOOKED_AT)
            data = stream.unconsumed_tail
            unpacked += len(piece)
            if not piece and not data:
                return False
    except zlib.error:
        return False
    return True
