"""Files are not taken for raw numbers, and raw numbers not for files."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import zipfile
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgefn import tensor
from edgefn.codec.request.body.file_kinds import file_kind
from edgefn.codec.request.signature import Request, Signature
from edgefn.errors import UnsupportedMediaType


def floats(x: Annotated[np.ndarray, tensor("float32", "n")]) -> None: ...
def pixels(x: Annotated[np.ndarray, tensor("uint8", "n", 1)]) -> None: ...
def anybytes(x: Annotated[np.ndarray, tensor("uint8", "n")]) -> None: ...


def npz(*, packed: bool) -> bytes:
    """What numpy.savez writes."""
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, x=np.arange(6, dtype=np.float32))
    return file.getvalue()


def zipped() -> bytes:
    """A zip as torch.save writes one."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", b"x" * 100)
    return file.getvalue()


FILES = {
    "npz": npz(packed=False),
    "npz, compressed": npz(packed=True),
    "zip": zipped(),
    "gzip": gzip.compress(bytes(range(200))),
    "json": json.dumps([[1, 2], [3, 4]]).encode(),
    **{f"pickle {n}": pickle.dumps(np.arange(9, dtype=np.float32), n) for n in range(2, pickle.HIGHEST_PROTOCOL + 1)},
    "pickle of lists": pickle.dumps({"x": [1.0, 2.0]}),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(120),
    "pdf": b"%PDF-1.7\n" + bytes(119),
}


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("handler", [floats, pixels])
def test_a_file_is_no_raw_numbers(name: str, handler: Any) -> None:
    """As octets, cut or padded to a whole number of values where its kind allows: 415 that names the kind."""
    data = FILES[name] + (b" " if name == "json" else b"") * (-len(FILES[name]) % 4)
    signature = Signature.of(handler)
    if name == "json":  # what says nothing and is JSON is read as JSON
        assert file_kind(data) == "JSON text"
        return
    with pytest.raises(UnsupportedMediaType, match=r"x: is an? .*; send "):
        signature.decode(Request("application/octet-stream", data))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_picture_is_no_raw_numbers(encoded: Any, format: str) -> None:
    """Each format that is read as an image; as a form's file, too."""
    data = encoded(format, 40, 30)
    for handler in (floats, pixels):
        with pytest.raises(UnsupportedMediaType, match=f"x: is a {format}"):
            Signature.of(handler).decode(Request("application/octet-stream", data))


def test_bytes_of_any_file_are_taken_where_they_are_asked_for() -> None:
    """A row of uint8 of any length is a file's bytes: a detector of malware, a model of text."""
    for data in FILES.values():
        found = Signature.of(anybytes).decode(Request("application/octet-stream", data))["x"]
        assert found.tobytes() == data


MAGICS = (b"\x89PNG", b"\xff\xd8\xff", b"PK\x03\x04", b"\x80\x04", b"\x1f\x8b\x08", b"BM", b"[", b"RIFF")


@example(b"\x1f\x8b\x08", b"\x00\x00\x00\x00\x00\x00\x00\n\x08\x18\x00\x00\x01\x00\x00\x00")  # deflate for a while
@given(st.sampled_from(MAGICS), st.binary(min_size=16, max_size=64))
@settings(max_examples=300, deadline=None)
def test_numbers_that_begin_as_a_file_does_are_numbers(begins: bytes, rest: bytes) -> None:
    """A few bytes in common are no file: the kind is looked at further before it is named."""
    data = begins + rest
    data += b"\x00" * (-len(data) % 4)
    found = Signature.of(floats).decode(Request("application/octet-stream", data))["x"]
    assert found.tobytes() == data
