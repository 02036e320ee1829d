"""The five kinds of parameter (image, tensor, bytes, text, value): how each is written in a request, and read."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import msgspec

from edgefn.codec import arrays
from edgefn.codec.json_schema import BYTES, IMAGE, parameter_schema, tensor_schema
from edgefn.codec.media_types import NPY, OCTETS, MediaType
from edgefn.codec.request.base64_images import read_image
from edgefn.codec.request.body import base64_text, json_text
from edgefn.codec.request.body.file_kinds import file_kind, is_picture
from edgefn.codec.request.body.forms import FormField
from edgefn.codec.request.form_values import FormReader, is_scalar
from edgefn.codec.request.parameters import Buffer, Dims, Parameter
from edgefn.codec.request.validation import shortened
from edgefn.codec.type_hints import Hint
from edgefn.errors import InputError, SpecError, UnsupportedMediaType

_NPY = (NPY, "application/npy")
_PACKED = frozenset({"dtype", "shape", "data"})


class ImageParameter(Parameter):
    """An image: its file as the body or a form's file; base64 (or a data: URL) as text or in JSON."""

    plain = False
    media = ("image/jpeg", "image/png", OCTETS)

    def __init__(self, name: str, hint: Hint, default: Any, schema: dict[str, Any]) -> None:
        super().__init__(name, hint, default, schema)
        self._lenient = hint.picture.lenient

    def reads(self, media: MediaType) -> bool:
        return media.name.startswith("image/") or super().reads(media)

    def claims(self, body: Buffer, media: MediaType) -> bool:
        return media.name.startswith("image/") or is_picture(body)

    def finish(self, value: Any, dims: Dims) -> Any:
        return value if value is None else value.named(self.name, lenient=self._lenient)

    def read_field(self, field: FormField, dims: Dims) -> Any:
        is_file = field.is_file or is_picture(field.data)
        return self.finish(read_image(field.data), dims) if is_file else self.read_text(field.data, dims)

    def read_text(self, text: bytes, dims: Dims) -> Any:
        return self.finish(read_image(base64_text.decoded(text)), dims)


class TensorParameter(Parameter):
    """An array: .npy or raw bytes as the body or a form's file; nested lists or a packed object elsewhere."""

    plain = False
    media = (NPY, OCTETS, "application/json", "application/msgpack")

    def __init__(self, name: str, hint: Hint, default: Any, schema: dict[str, Any]) -> None:
        super().__init__(name, hint, default, schema)
        assert hint.tensor is not None
        self._spec = hint.tensor
        self.takes_files = hint.tensor.dtype == "uint8" and len(hint.tensor.shape) == 1
        self.is_number = not hint.tensor.shape
        self.wire = arrays.list_type(hint.tensor) | arrays.Packed
        if hint.optional:
            self.wire |= None

    def is_value(self, keys: Set[str]) -> bool:
        return keys >= _PACKED

    def is_packed(self, keys: Set[str]) -> bool:
        return keys == _PACKED

    def reads(self, media: MediaType) -> bool:
        return media.name in _NPY or super().reads(media)

    def claims(self, body: Buffer, media: MediaType) -> bool:
        return media.name in _NPY or bytes(body[:6]) == arrays.NPY_MAGIC

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

    def read_field(self, field: FormField, dims: Dims) -> Any:
        numbers = (
            not field.media.is_json
            and not field.media.is_msgpack
            and field.is_file
            and (field.media.name or self.takes_files or not json_text.is_document(field.data))
        )
        if numbers or field.media.name in _NPY or field.data.startswith(arrays.NPY_MAGIC):
            return self._read(field.data, field.media.name, dims)
        return self.from_object(field.data, field.media, dims)

    def _read(self, data: bytes | bytearray, media: str, dims: Dims) -> Any:
        # Clients send a .npy file as application/octet-stream, so its magic decides: raw numbers begin with
        # those six bytes once in 2^48.
        if media in _NPY or data.startswith(arrays.NPY_MAGIC):
            return arrays.from_npy(data, self._spec, dims)
        if not self.takes_files and (file := file_kind(data)):
            raise UnsupportedMediaType(
                f"is {file}, not raw numbers; send the bytes of {self._spec}, or numpy.save's .npy"
            )
        return arrays.from_raw(data, self._spec, dims)

    def read_text(self, text: bytes, dims: Dims) -> Any:
        return self.from_object(text, MediaType(""), dims)


class BytesParameter(Parameter):
    """Bytes: the body or a form's field as it is, whatever its type; base64 in JSON, urlencoded text and queries."""

    media = (OCTETS, "any other type")
    takes_files = True

    def is_value(self, keys: Set[str]) -> bool:
        return keys != {self.name}  # another object is a document that goes to the handler as it is

    def reads(self, media: MediaType) -> bool:
        return True

    def read_field(self, field: FormField, dims: Dims) -> Any:
        return msgspec.convert(field.data, self.wire)

    def read_text(self, text: bytes, dims: Dims) -> Any:
        return msgspec.convert(base64_text.decoded(text), self.wire)


class TextParameter(Parameter):
    """Text, which is UTF-8 everywhere: a text/* body, a form's field, a JSON string."""

    media = ("text/plain; charset=utf-8", "application/json")

    def reads(self, media: MediaType) -> bool:
        return media.name.startswith("text/") or super().reads(media)

    def claims(self, body: Buffer, media: MediaType) -> bool:
        return media.name.startswith("text/")

    def read_field(self, field: FormField, dims: Dims) -> Any:
        if not field.media.reads_as_utf8(field.data):
            raise InputError(f"is sent as {shortened(field.media.charset)}; send UTF-8")
        if field.is_json_text or (self.nullable and field.is_json_null):
            return self.from_object(field.data, field.media, dims)
        return self.read_text(field.data, dims)

    def read_text(self, text: bytes, dims: Dims) -> Any:
        return msgspec.convert(str(text, "utf-8"), self.wire)


class ValueParameter(Parameter):
    """What msgspec reads: strictly from JSON and msgpack; numbers, dates and the like also from their text."""

    media = ("application/json", "application/msgpack")

    def __init__(self, name: str, hint: Hint, default: Any, schema: dict[str, Any]) -> None:
        super().__init__(name, hint, default, schema)
        info = msgspec.inspect.type_info(hint.type)
        self.body_like = not is_scalar(info)
        self._form = FormReader(self.wire, info)

    def reads(self, media: MediaType) -> bool:
        return False

    def read_fields(self, fields: Sequence[FormField], dims: Dims, *, multipart: bool) -> Any:
        if len(fields) == 1 and self._form.is_document(fields[0]):
            return self.finish(self.reader.read(fields[0].data, fields[0].media), dims)
        return self._form.read(fields, multipart=multipart)

    def read_members(self, fields: dict[str, list[FormField]], *, multipart: bool) -> Any:
        """Return the value, from fields of a form that are its members."""
        with self._naming():
            return self._form.read_members(fields, self.name, multipart=multipart)

    def read_field(self, field: FormField, dims: Dims) -> Any:
        return self.read_fields([field], dims, multipart=True)

    def read_text(self, text: bytes, dims: Dims) -> Any:
        return self.read_fields([FormField(self.name, text)], dims, multipart=False)


_KINDS: dict[str, type[Parameter]] = {
    "image": ImageParameter,
    "tensor": TensorParameter,
    "bytes": BytesParameter,
    "text": TextParameter,
    "value": ValueParameter,
}


def parameter(name: str, hint: Hint, default: Any, where: str) -> Parameter:
    """Return the parameter of a hint.

    Raise SpecError, beginning with `where`, when no request can carry its type.
    """
    try:
        made = _KINDS[hint.kind](name, hint, default, _schema(hint))
        made.prepare()
        return made
    except TypeError as error:
        raise SpecError(
            f"{where}, parameter {name} is annotated {_shown(hint.type)}, which cannot be read from a request: "
            f"{error}. Use Image, bytes, str, numbers, lists, dicts, dataclasses or msgspec structs"
        ) from error


def _schema(hint: Hint) -> dict[str, Any]:
    if hint.tensor is not None:
        schema = tensor_schema(hint.tensor)
    elif hint.kind == "image":
        schema = dict(IMAGE)
    elif hint.kind == "bytes":
        schema = dict(BYTES)
    else:
        return parameter_schema(hint.type if hint.kind == "value" or not hint.optional else hint.type | None)
    return {"anyOf": [schema, {"type": "null"}]} if hint.optional else schema


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)
