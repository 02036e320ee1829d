"""From results to answers: every kind under every Accept, and a TypeError that names what has no encoding."""

from __future__ import annotations

import dataclasses
import io
import math
import threading
from typing import Annotated, Any

import msgspec
import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn import Image
from edgefn.codec.results import encode
from edgefn.codec.signature import Request, Signature
from edgefn.images.decoder import recognise
from edgefn.spec import ResultSpec, TensorSpec

VALUE = ResultSpec()
JSON = "application/json"
MSGPACK = "application/msgpack"


class Label(msgspec.Struct):
    name: str
    score: np.float32


@dataclasses.dataclass
class Scores:
    labels: list[Label]
    raw: np.ndarray


def test_structs_dataclasses_and_numpy_are_encoded() -> None:
    """Nested anywhere; scalars as numbers, arrays as lists."""
    result = {"scores": Scores([Label("cat", np.float32(0.5))], np.arange(3)), "n": np.int64(1), "ok": np.bool_(True)}
    content_type, body = encode(result, VALUE, "")
    assert content_type == JSON
    assert msgspec.json.decode(body) == {
        "scores": {"labels": [{"name": "cat", "score": 0.5}], "raw": [0, 1, 2]},
        "n": 1,
        "ok": True,
    }


@pytest.mark.parametrize("accept", [MSGPACK, "application/x-msgpack", "application/msgpack, */*;q=0.1"])
def test_msgpack_by_accept(accept: str) -> None:
    """The content type is the one asked for; arrays nested are packed objects."""
    content_type, body = encode({"x": np.array([1.0], "float32")}, VALUE, accept)
    assert content_type == accept.partition(",")[0]
    packed = msgspec.msgpack.decode(body)["x"]
    assert packed == {"dtype": "float32", "shape": [1], "data": np.float32(1).tobytes()}


def test_an_array_by_accept() -> None:
    """Lists, a packed object, .npy, raw bytes."""
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    kind = ResultSpec("tensor")
    assert encode(array, kind, "*/*") == (JSON, b"[[0,1,2],[3,4,5]]")
    assert encode(array, VALUE, "") == (JSON, b"[[0,1,2],[3,4,5]]")
    assert msgspec.msgpack.decode(encode(array, kind, MSGPACK)[1])["shape"] == [2, 3]
    content_type, body = encode(array, kind, "application/x-npy")
    assert content_type == "application/x-npy"
    np.testing.assert_array_equal(np.load(io.BytesIO(body)), array)
    assert encode(array.T, kind, "application/octet-stream") == ("application/octet-stream", array.T.tobytes())


@pytest.mark.parametrize("value", [b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff")])
def test_bytes_are_themselves(value: Any) -> None:
    """Unless JSON or msgpack is what the client takes."""
    for result in (ResultSpec("bytes"), VALUE):
        assert encode(value, result, "*/*") == ("application/octet-stream", b"\x00\xff")
        assert encode(value, result, "application/msgpack")[1] == msgspec.msgpack.encode(b"\x00\xff")
    assert encode(value, ResultSpec("bytes"), JSON) == (JSON, b'"AP8="')


def test_text_is_json_unless_accept_asks() -> None:
    """A browser's or curl's */* gets JSON; text/plain gets UTF-8."""
    assert encode("é", ResultSpec("text"), "*/*") == (JSON, '"é"'.encode())
    assert encode("é", ResultSpec("text"), "text/plain, */*;q=0.5") == ("text/plain; charset=utf-8", "é".encode())
    assert encode(None, ResultSpec("none"), "") == (JSON, b"null")


@pytest.mark.parametrize("made", ["edgefn", "pillow"])
@pytest.mark.parametrize("kind", [ResultSpec("image"), VALUE])
def test_images_are_themselves(made: str, kind: ResultSpec) -> None:
    """PNG, or JPEG or WebP by Accept; base64 of a PNG inside JSON."""
    pixels = PIL.Image.new("RGBA", (5, 4))
    value = Image.from_pil(pixels) if made == "edgefn" else pixels
    for accept, content_type, format in (
        ("", "image/png", "PNG"),
        ("image/*", "image/png", "PNG"),
        ("image/jpeg", "image/jpeg", "JPEG"),
        ("text/html, image/webp, */*;q=0.8", "image/webp", "WEBP"),
    ):
        got, body = encode(value, kind, accept)
        assert (got, recognise(body)) == (content_type, format)
    body = encode({"image": value}, VALUE, "")[1]
    assert msgspec.json.decode(body)["image"].startswith("iVBOR")
    assert recognise(msgspec.msgpack.decode(encode(value, kind, MSGPACK)[1])) == "PNG"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (threading.Lock(), r"_thread\.lock has no encoding: return Python values"),
        (
            {"a": [object()]},
            r"the result, dict, cannot be encoded as application/json: builtins\.object has no encoding",
        ),
        (1j, "complex has no encoding"),
        (np.array([1j]), "complex has no encoding"),
        ("\ud800", "surrogates not allowed"),
        ({(1, 2): 3}, "tuple has no encoding"),
        (lambda: None, "function has no encoding"),
    ],
)
def test_what_has_no_encoding_is_a_type_error(value: Any, message: str) -> None:
    """The handler's fault, never an InputError."""
    with pytest.raises(TypeError, match=message):
        encode(value, VALUE, "")


def test_endless_and_oversized_results_are_type_errors() -> None:
    """A list within itself; a number that msgpack cannot hold."""
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(TypeError, match="recursion"):
        encode(endless, VALUE, "")
    with pytest.raises(TypeError, match="can't serialize ints"):
        encode(2**70, VALUE, MSGPACK)
    with pytest.raises(TypeError, match="has no binary form"):
        encode(np.array(["a"]), VALUE, "application/x-npy")
    with pytest.raises(TypeError, match="has no binary form"):
        encode(np.array(["a"]), VALUE, MSGPACK)


def test_nan_is_null_in_json_and_exact_elsewhere() -> None:
    """As documented in edgefn.codec.results."""
    values = [math.nan, math.inf, np.float32("nan"), np.longdouble(1)]
    assert encode(values, VALUE, "") == (JSON, b"[null,null,null,1.0]")
    assert math.isnan(msgspec.msgpack.decode(encode(values, VALUE, MSGPACK)[1])[0])


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _same(value: Any) -> Any:
    return value


_same.__annotations__ = {"value": Any, "return": Any}


@given(VALUES, st.sampled_from([JSON, MSGPACK]))
def test_a_result_can_be_sent_as_a_request(value: Any, media: str) -> None:
    """What encode writes, decode reads: one function's answer is another's input."""
    signature = Signature.of(_same)
    content_type, body = encode(value, signature.result, media)
    assert content_type == media
    assert signature.decode(Request(content_type, body)) == {"value": value}


def test_the_declared_result_is_in_the_spec() -> None:
    """Kinds of results by their hints."""

    def kind(hint: Any) -> ResultSpec:
        def handler() -> None: ...

        handler.__annotations__ = {"return": hint}
        return Signature.of(handler).result

    assert kind(None).kind == "none"
    assert kind(bytes).kind == "bytes"
    assert kind(str).kind == "text"
    assert kind(Image).kind == kind(PIL.Image.Image).kind == "image"
    assert kind(np.ndarray).kind == kind(np.typing.NDArray[np.float32]).kind == "tensor"
    spec = TensorSpec("float32", ("n", 2))
    assert kind(Annotated[np.ndarray, spec]).schema["items"]["maxItems"] == 2
    assert kind(Image | None).kind == kind(list[Label]).kind == "value"
    assert kind(Scores).schema["properties"]["labels"]["items"]["properties"]["score"] == {"type": "number"}
