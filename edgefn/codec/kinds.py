"""The five kinds of parameter (image, tensor, bytes, text, value): how each is written in a request, and read."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from edgefn.codec import arrays
from edgefn.codec.base64_images import build, from_base64, read_image
from edgefn.codec.forms import Field
from edgefn.codec.json_schema import BYTES, IMAGE, parameter_schema, tensor_schema
from edgefn.codec.media_types import NPY, OCTETS, MediaType
from edgefn.codec.parameters import Buffer, Dims, Parameter
from edgefn.codec.type_hints import Hint
from edgefn.codec.validation import INVALID, shortened
from edgefn.errors import InputError, SpecError

_NPY = (NPY, "application/npy")
_SCALARS = (
    msgspec.inspect.NoneType,
    msgspec.inspect.BoolType,
    msgspec.inspect.IntType,
    msgspec.inspect.FloatType,
    msgspec.inspect.StrType,
    msgspec.inspect.BytesType,
    msgspec.inspect.ByteArrayType,
    msgspec.inspect.MemoryViewType,
    msgspec.inspect.EnumType,
    msgspec.inspect.LiteralType,
    msgspec.inspect.DateTimeType,
    msgspec.inspect.DateType,
    msgspec.inspect.TimeType,
    msgspec.inspect.TimeDeltaType,
    msgspec.inspect.UUIDType,
    msgspec.inspect.DecimalType,
)


class ImageParameter(Parameter):
    """An image: its file as the body or a form's file; base64 (or a data: URL) as text or in JSON."""

    plain = False
    media = ("image/jpeg", "image/png", OCTETS)

    def __init__(self, name: str, hint: Hint, default: Any, schema: dict[str, Any]) -> None:
        super().__init__(name, hint, default, schema)
        self._lenient = hint.picture.lenient

    def reads(self, media: MediaType) -> bool:
        return media.name.startswith("image/") or super().reads(media)

    def finish(self, value: Any, dims: Dims) -> Any:
        return value if value is None else value.named(self.name, lenient=self._lenient)

    def read_field(self, field: Field, dims: Dims) -> Any:
        return self.finish(read_image(field.data), dims) if field.is_file else self.read_text(field.data, dims)

    def read_text(self, text: bytes, dims: Dims) -> Any:
        return self.finish(read_image(from_base64(text)), dims)


class TensorParameter(Parameter):
    """An array: .npy or raw bytes as the body or a form's file; nested lists or a packed object elsewhere."""

    plain = False
    media = (NPY, OCTETS, "application/json", "application/msgpack")

    def __init__(self, name: str, hint: Hint, default: Any, schema: dict[str, Any]) -> None:
        super().__init__(name, hint, default, schema)
        assert hint.tensor is not None
        self._spec = hint.tensor
        self.wire = arrays.list_type(hint.tensor) | arrays.Packed
        if hint.optional:
            self.wire |= None

    def reads(self, media: MediaType) -> bool:
        return media.name in _NPY or super().reads(media)

    def from_body(self, body: Buffer, media: MediaType, dims: Dims) -> Any:
        if not isinstance(body, bytearray) or not media.name:
            return super().from_body(body, media, dims)
        with self._naming():
            return self._read(body, media.name, dims)  # as it is: a large body is not copied into its array

    def finish(self, value: Any, dims: Dims) -> Any:
        if value is None:
            return None
        read = arrays.from_packed if isinstance(value, arrays.Packed) else arrays.from_lists
        return read(value, self._spec, dims)

    def read_field(self, field: Field, dims: Dims) -> Any:
        numbers = (
            not field.media.is_json and not field.media.is_msgpack and field.is_file and not _is_untyped_json(field)
        )
        if numbers or field.media.name in _NPY or field.data.startswith(arrays.NPY_MAGIC):
            return self._read(field.data, field.media.name, dims)
        return self.from_object(field.data, field.media, dims)

    def _read(self, data: bytes | bytearray, media: str, dims: Dims) -> Any:
        # Clients send a .npy file as application/octet-stream, so its magic decides: raw numbers begin with
        # those six bytes once in 2^48.
        npy = media in _NPY or data.startswith(arrays.NPY_MAGIC)
        return (arrays.from_npy if npy else arrays.from_raw)(data, self._spec, dims)

    def read_text(self, text: bytes, dims: Dims) -> Any:
        return self.from_object(text, MediaType(""), dims)


class BytesParameter(Parameter):
    """Bytes: the body or a form's field as it is, whatever its type; base64 in JSON, urlencoded text and queries."""

    media = (OCTETS, "any other type")

    def reads(self, media: MediaType) -> bool:
        return True

    def read_field(self, field: Field, dims: Dims) -> Any:
        return msgspec.convert(field.data, self.wire)

    def read_text(self, text: bytes, dims: Dims) -> Any:
        return msgspec.convert(from_base64(text), self.wire)


class TextParameter(Parameter):
    """Text, which is UTF-8 everywhere: a text/* body, a form's field, a JSON string."""

    media = ("text/plain; charset=utf-8", "application/json")

    def reads(self, media: MediaType) -> bool:
        return media.name.startswith("text/") or super().reads(media)

    def read_field(self, field: Field, dims: Dims) -> Any:
        if not field.media.is_utf8:
            raise InputError(f"is sent as {shortened(field.media.charset)}; send UTF-8")
        return self.read_text(field.data, dims)

    def read_text(self, text: bytes, dims: Dims) -> Any:
        return msgspec.convert(str(text, "utf-8"), self.wire)


class ValueParameter(Parameter):
    """What msgspec reads: strictly from JSON and msgpack; numbers, dates and the like also from their text."""

    media = ("application/json", "application/msgpack")

    def __init__(self, name: str, hint: Hint, default: Any, schema: dict[str, Any]) -> None:
        super().__init__(name, hint, default, schema)
        self.body_like = not _is_scalar(msgspec.inspect.type_info(hint.type))

    def reads(self, media: MediaType) -> bool:
        return False

    def read_field(self, field: Field, dims: Dims) -> Any:
        if field.media.is_json or field.media.is_msgpack:
            return self.from_object(field.data, field.media, dims)
        return self.read_text(field.data, dims)

    def read_text(self, text: bytes, dims: Dims) -> Any:
        return self._json.decode(text) if self.body_like else self.lax(str(text, "utf-8"))

    def lax(self, value: Any) -> Any:
        """The value of text, or of an object of texts: "1" is a number here, and "nan" is not."""
        with self._naming():
            read = msgspec.convert(value, self.wire, strict=False, dec_hook=build)
            _check_finite(msgspec.to_builtins(read, enc_hook=repr))
            return read


_KINDS: dict[str, type[Parameter]] = {
    "image": ImageParameter,
    "tensor": TensorParameter,
    "bytes": BytesParameter,
    "text": TextParameter,
    "value": ValueParameter,
}


def parameter(name: str, hint: Hint, default: Any, where: str) -> Parameter:
    """The parameter of a hint. Raises SpecError, beginning with `where`, when no request can carry its type."""
    try:
        made = _KINDS[hint.kind](name, hint, default, _schema(hint))
        made.prepare()
        return made
    except TypeError as error:
        raise SpecError(
            f"{where}, parameter {name} is annotated {_shown(hint.type)}, which cannot be read from a request: "
            f"{error}. Use Image, bytes, str, numbers, lists, dicts, dataclasses or msgspec structs"
        ) from error


def _is_untyped_json(field: Field) -> bool:
    # `curl -d '[[1, 2]]'` names no type of its own. Raw numbers hardly ever are JSON to their last byte.
    if field.media.name or not field.data.startswith((b"[", b"{")):
        return False
    try:
        msgspec.json.decode(field.data, type=msgspec.Raw)
    except INVALID:
        return False
    return True


def _schema(hint: Hint) -> dict[str, Any]:
    if hint.tensor is not None:
        return tensor_schema(hint.tensor)
    if hint.kind == "image":
        return dict(IMAGE)
    return dict(BYTES) if hint.type is bytes else parameter_schema(hint.type)


def _is_scalar(info: msgspec.inspect.Type) -> bool:
    if isinstance(info, msgspec.inspect.Metadata):
        return _is_scalar(info.type)
    if isinstance(info, msgspec.inspect.UnionType):
        return all(_is_scalar(member) for member in info.types)
    return isinstance(info, _SCALARS)


def _check_finite(value: Any) -> None:
    """Raises ValueError when a number in `value` (of builtins) is NaN or infinite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a number that text can carry; send a finite one, or msgpack")
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            _check_finite(item)


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)
