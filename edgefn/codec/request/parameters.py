"""What every parameter of a handler can do: be read from a body, a form's field, a query, or a member of an object.

A parameter knows nothing of the others. Its readers raise InputError naming the parameter, and the path below it. The
five kinds are in edgefn.codec.request.kinds.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from typing import Any

import msgspec

from edgefn.codec import members
from edgefn.codec.media_types import JSON, OCTETS, MediaType
from edgefn.codec.request.body.forms import FormField
from edgefn.codec.request.form_values import ABSENT
from edgefn.codec.request.structured import Reader
from edgefn.codec.request.validation import INVALID, input_error
from edgefn.codec.type_hints import Hint
from edgefn.errors import InputError
from edgefn.spec import ParameterSpec

Dims = dict[str, int]
Buffer = bytes | bytearray | memoryview


class Parameter(ABC):
    """One parameter of a handler.

    wire       the type of its value as a member of a JSON or msgpack object, for msgspec to check
    body_like  whether a request's body can be its value
    plain      whether the checked wire value is the argument, with nothing left to do
    takes_files  whether its value may be the bytes of any file
    media      the content types a body may have to be read as its value, for a person
    nullable   whether it takes `null`
    mark       its name as it stands in a document
    members    those that an object may have to be its value; `members.ANY` for all
    leaves_empty  whether an object without members does not give it, and need not
    """

    wire: Any
    body_like = True
    plain = True
    takes_files = False
    media: tuple[str, ...]

    def __init__(self, name: str, hint: Hint, default: Any, schema: dict[str, Any]) -> None:
        self.name = name
        self.kind = hint.kind
        self.nullable = hint.optional
        self.wire = hint.type | None if hint.optional else hint.type
        required = default is inspect.Parameter.empty
        self.spec = ParameterSpec(name, hint.kind, schema | _default(default), required)

    def prepare(self) -> None:
        """Make the decoders of a body that is this parameter's value."""
        self.reader = Reader(self.wire)
        self.members = members.taken(self.reader.info)
        self.mark = self.name.encode()
        self.takes_any = self.members is members.ANY
        self.takes_objects = bool(self.members) or self.kind == "bytes"
        self.leaves_empty = not self.spec.required and self.kind != "bytes" and not self._takes(b"{}")

    def from_object(self, body: Buffer, media: MediaType, dims: Dims) -> Any:
        """Return the value of a JSON or msgpack body that is nothing but this parameter's value."""
        with self._naming():
            return self.finish(self.reader.read(body, media), dims)

    def _takes(self, document: bytes) -> bool:
        try:
            self.reader.read(document, MediaType(JSON))
        except INVALID:
            return False
        return True

    def is_value(self, keys: Set[str]) -> bool:
        """Tell whether an object of `keys` is this parameter's value, and not one that has it as a member."""
        taken = self.members
        return bool(taken) and (self.name in taken or self.name not in keys)

    def is_packed(self, keys: Set[str]) -> bool:
        """Tell whether an object of `keys` is an array's packed form."""
        return False

    def from_member(self, value: Any, dims: Dims) -> Any:
        """Return the value, from a member of an object that msgspec has checked to be a `wire`."""
        if value is None or self.plain:
            return value
        with self._naming():
            return self.finish(value, dims)

    def from_fields(self, fields: Sequence[FormField], dims: Dims, *, multipart: bool) -> Any:
        """Return the value, from its fields of a multipart form, or of a query or an urlencoded form.

        ABSENT where they say that nothing was given.
        """
        with self._naming():
            return self.read_fields(fields, dims, multipart=multipart)

    def read_fields(self, fields: Sequence[FormField], dims: Dims, *, multipart: bool) -> Any:
        """Read the value like `from_fields`; its errors do not name the parameter yet."""
        chosen = [field for field in fields if not field.is_unchosen]
        if len(chosen) > 1:
            raise InputError("is given twice; give it once")
        if not chosen:
            return ABSENT
        return self.read_field(chosen[0], dims) if multipart else self.read_text(chosen[0].data, dims)

    def from_body(self, body: Buffer, media: MediaType, dims: Dims) -> Any:
        """Read the value of a body that is neither JSON nor msgpack; only where `reads(media)`."""
        with self._naming():
            return self.read_field(FormField(self.name, bytes(body), media, ""), dims)

    def claims(self, body: Buffer, media: MediaType) -> bool:
        """Tell whether a body is, by its type or its first bytes, this kind's and no other's."""
        return False

    def reads(self, media: MediaType) -> bool:
        """Tell whether a body of `media`, neither JSON nor msgpack, can be this parameter's value."""
        return media.name in ("", OCTETS)

    def finish(self, value: Any, dims: Dims) -> Any:
        """Return the argument, from a checked wire value."""
        return value

    @abstractmethod
    def read_field(self, field: FormField, dims: Dims) -> Any: ...

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
