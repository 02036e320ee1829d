"""What every parameter of a handler can do: be read from a body, a form's field, a query, or a member of an object.

A parameter knows nothing of the others. Its readers raise InputError naming the parameter, and the path below it. The
five kinds are in edgefn.codec.kinds.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from edgefn.codec.base64_images import build
from edgefn.codec.forms import Field
from edgefn.codec.media_types import OCTETS, MediaType
from edgefn.codec.type_hints import Hint
from edgefn.codec.validation import INVALID, input_error
from edgefn.errors import InputError
from edgefn.spec import ParameterSpec

Dims = dict[str, int]
Buffer = bytes | bytearray | memoryview


class Parameter(ABC):
    """One parameter of a handler.

    wire       the type of its value as a member of a JSON or msgpack object, for msgspec to check
    body_like  whether a request's body can be its value
    plain      whether the checked wire value is the argument, with nothing left to do
    media      the content types a body may have to be read as its value, for a person
    """

    wire: Any
    body_like = True
    plain = True
    media: tuple[str, ...]

    def __init__(self, name: str, hint: Hint, default: Any, schema: dict[str, Any]) -> None:
        self.name = name
        self.kind = hint.kind
        self.wire = hint.type | None if hint.optional else hint.type
        required = default is inspect.Parameter.empty
        self.spec = ParameterSpec(name, hint.kind, schema | _default(default), required)

    def prepare(self) -> None:
        """Makes the decoders of a body that is this parameter's value."""
        self._json = msgspec.json.Decoder(self.wire, dec_hook=build)
        self._msgpack = msgspec.msgpack.Decoder(self.wire, dec_hook=build)

    def from_object(self, body: Buffer, media: MediaType, dims: Dims) -> Any:
        """The value of a JSON or msgpack body that is nothing but this parameter's value."""
        with self._naming():
            decoder = self._msgpack if media.is_msgpack else self._json
            return self.finish(decoder.decode(body), dims)

    def from_member(self, value: Any, dims: Dims) -> Any:
        """The value, from a member of an object that msgspec has checked to be a `wire`."""
        if value is None or self.plain:
            return value
        with self._naming():
            return self.finish(value, dims)

    def from_field(self, field: Field, dims: Dims) -> Any:
        """The value, from a field of a multipart form."""
        with self._naming():
            return self.read_field(field, dims)

    def from_text(self, text: bytes, dims: Dims) -> Any:
        """The value, from a field of a query string or an urlencoded form."""
        with self._naming():
            return self.read_text(text, dims)

    def from_body(self, body: Buffer, media: MediaType, dims: Dims) -> Any:
        """The value of a body that is neither JSON nor msgpack; only where `reads(media)`."""
        with self._naming():
            return self.read_field(Field(self.name, bytes(body), media, ""), dims)

    def reads(self, media: MediaType) -> bool:
        """Whether a body of `media`, neither JSON nor msgpack, can be this parameter's value."""
        return media.name in ("", OCTETS)

    def finish(self, value: Any, dims: Dims) -> Any:
        """The argument, from a checked wire value."""
        return value

    @abstractmethod
    def read_field(self, field: Field, dims: Dims) -> Any: ...

    @abstractmethod
    def read_text(self, text: bytes, dims: Dims) -> Any: ...

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            raise error if error.field else type(error)(str(error), field=self.name) from error
        except INVALID as error:
            raise input_error(error, self.name) from error


def _default(default: Any) -> dict[str, Any]:
    if default is None or default is inspect.Parameter.empty:
        return {}
    try:
        return {"default": msgspec.to_builtins(default)}
    except (TypeError, ValueError):  # e.g. an Image: no JSON shows it, and OpenAPI can do without
        return {}
