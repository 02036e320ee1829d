"""From a request to a handler's arguments, by its type hints.

A request holds values by name: the members of a JSON or msgpack object, the fields of a multipart or urlencoded form,
or of the query string (which may stand beside a body; nothing may be given twice, and nothing unknown). Or, when
exactly one parameter is body-like (an Image, a tensor, bytes, str, or a struct, dict or list), its body is that
parameter's value itself: alone in JSON and msgpack, and beside a query with scalars for raw bodies. An object keyed
by name is understood for a lone Image, tensor or str too. A lone `bytes` takes any body as it is.

It never guesses a number from a word: JSON and msgpack are strict, only forms and queries read numbers from text. JSON
and text are UTF-8; NaN and infinity come by msgpack, .npy and raw tensors only. A body without a content type, or
with the urlencoded one that curl writes by itself, is read as what the parameters want.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from edgefn.codec.base64_images import build
from edgefn.codec.forms import Field, multipart, urlencoded
from edgefn.codec.json_schema import result_schema, tensor_schema
from edgefn.codec.kinds import ValueParameter, parameter
from edgefn.codec.media_types import FORM, JSON, MULTIPART, MediaType, media_type
from edgefn.codec.parameters import Buffer, Dims, Parameter
from edgefn.codec.type_hints import hints_of, is_array, is_pillow, read_hint
from edgefn.codec.validation import INVALID, input_error, shortened
from edgefn.errors import InputError, SpecError, UnsupportedMediaType
from edgefn.sizes import combined
from edgefn.spec import ParameterSpec, ResultSpec
from edgefn.suggestion import did_you_mean


class Request(msgspec.Struct, frozen=True):
    """What a handler's arguments are read from. `query` is the query string, without its question mark.

    A `body` that can be written to is the request's own: an array may be made of its very memory.
    """

    content_type: str = ""
    body: bytes | bytearray | memoryview = b""
    query: str = ""


class Signature:
    """A handler's parameters and result, and the decoders made for them once."""

    def __init__(self, parameters: Iterable[Parameter], result: ResultSpec) -> None:
        self._by_name = {parameter.name: parameter for parameter in parameters}
        self.parameters: tuple[ParameterSpec, ...] = tuple(p.spec for p in self._by_name.values())
        self.result = result
        self._required = frozenset(spec.name for spec in self.parameters if spec.required)
        bodies = [parameter for parameter in self._by_name.values() if parameter.body_like]
        self._body = bodies[0] if len(bodies) == 1 else None
        self._lone = self._body if len(self._by_name) == 1 else None
        members = msgspec.defstruct(
            "Arguments",
            [(p.name, p.wire, msgspec.UNSET) for p in self._by_name.values()],
            forbid_unknown_fields=True,
        )
        self._json = msgspec.json.Decoder(members, dec_hook=build)
        self._msgpack = msgspec.msgpack.Decoder(members, dec_hook=build)

    @classmethod
    def of(cls, handler: Callable[..., Any]) -> Signature:
        """The signature of `handler`. Raises SpecError naming a parameter that no request can carry."""
        where = f"function {handler.__name__}"
        hints = hints_of(handler)
        combined({name: hint.tensor for name, (hint, _) in hints.parameters.items() if hint.tensor is not None}, where)
        parameters = [parameter(name, hint, default, where) for name, (hint, default) in hints.parameters.items()]
        return cls(parameters, _result(hints.result, where))

    def decode(self, request: Request) -> dict[str, Any]:
        """The arguments by name; a parameter with a default that the request does not give is left out.

        Raises InputError naming the field that is missing, unknown or wrong, and UnsupportedMediaType.
        """
        dims: Dims = {}
        given = self._from_body(request, media_type(request.content_type), dims) if request.body else {}
        if request.query:
            self._add_query(request, given, dims)
        if not given.keys() >= self._required:
            self._add_empty(request, given)
        return given

    def _from_body(self, request: Request, media: MediaType, dims: Dims) -> dict[str, Any]:
        body = request.body
        if media.name == MULTIPART:
            return self._from_fields(multipart(body, media.boundary), dims)
        if media.name in ("", FORM):
            media, fields = self._forgiven(body, media)
            if fields is not None:
                return self._from_texts(fields, dims)
        lone = self._lone
        if media.is_json or media.is_msgpack:
            if not media.is_utf8:
                raise UnsupportedMediaType(f"the body is sent as {shortened(media.charset)}; send JSON as UTF-8")
            if lone is None:
                return self._from_object(body, media, dims)
            if lone.kind != "bytes":
                return self._from_lone(lone, body, media, dims)
        if self._body is None or not self._body.reads(media):
            raise self._unsupported(request.content_type)
        return {self._body.name: self._body.from_body(body, media, dims)}

    def _from_object(self, body: Buffer, media: MediaType, dims: Dims) -> dict[str, Any]:
        """The arguments of an object keyed by their names."""
        try:
            members = msgspec.structs.asdict((self._msgpack if media.is_msgpack else self._json).decode(body))
        except INVALID as error:
            raise input_error(error, known=self._by_name) from error
        return {
            name: self._by_name[name].from_member(value, dims)
            for name, value in members.items()
            if value is not msgspec.UNSET
        }

    def _from_lone(self, lone: Parameter, body: Buffer, media: MediaType, dims: Dims) -> dict[str, Any]:
        if lone.kind == "value" or not _keyed(body, media, lone):
            return {lone.name: lone.from_object(body, media, dims)}
        return self._from_object(body, media, dims)

    def _from_fields(self, fields: list[Field], dims: Dims) -> dict[str, Any]:
        return {field.name: self._by_name[field.name].from_field(field, dims) for field in self._known(fields)}

    def _from_texts(self, fields: list[Field], dims: Dims) -> dict[str, Any]:
        lone = self._lone
        if isinstance(lone, ValueParameter) and [field.name for field in fields] != [lone.name]:
            members = {field.name: str(field.data, "utf-8") for field in _once(fields)}
            return {lone.name: lone.lax(members)}
        return {field.name: self._by_name[field.name].from_text(field.data, dims) for field in self._known(fields)}

    def _add_query(self, request: Request, given: dict[str, Any], dims: Dims) -> None:
        fields = urlencoded(request.query)
        for field in fields:
            if field.name in given:
                raise InputError("is given in the query and in the body; give it once", field=field.name)
        if given and self._lone is not None:
            fields = self._known(fields)  # its members cannot be merged: whatever the query names is unknown
        given.update(self._from_texts(fields, dims))

    def _add_empty(self, request: Request, given: dict[str, Any]) -> None:
        # An empty body is a value of a lone bytes or str, and of no other.
        missing = next(name for name in self._by_name if name in self._required and name not in given)
        if self._lone is not None and self._lone.kind in ("bytes", "text") and not request.query:
            given[missing] = b"" if self._lone.kind == "bytes" else ""
            return
        raise InputError(f"is missing; send {self._accepted()}", field=missing)

    def _forgiven(self, body: Buffer, media: MediaType) -> tuple[MediaType, list[Field] | None]:
        """What a body without a type, or with curl's, is: another type, or the fields of a real form."""
        begins = bytes(body[:256]).lstrip()
        raw = self._body is not None and (self._body.kind in ("image", "tensor", "bytes") or self._body is self._lone)
        raw = raw and not isinstance(self._body, ValueParameter)
        if media.name == FORM and not begins.startswith((b"{", b"[")):
            forms = tuple(f"{name}=".encode() for name in self._by_name)
            if not raw or begins.startswith(forms):
                return media, urlencoded(body)
        return MediaType("" if raw else JSON), None

    def _known(self, fields: list[Field]) -> list[Field]:
        for field in fields:
            if field.name not in self._by_name:
                name = shortened(field.name)
                raise InputError(f"is unknown{did_you_mean(name, self._by_name)}", field=name)
        return _once(fields)

    def _unsupported(self, content_type: str) -> UnsupportedMediaType:
        shown = repr(shortened(content_type)) if content_type else "a body without a content type"
        return UnsupportedMediaType(f"{shown} cannot be read; send {self._accepted()}")

    def _accepted(self) -> str:
        if self._lone is not None:
            return " or ".join(self._lone.media)
        members = ", ".join(self._by_name) or "nothing"
        raw = f"; or {self._body.name} as {' or '.join(self._body.media)}" if self._body is not None else ""
        return f"an object of {members} as application/json or application/msgpack, or a form{raw}"


def _once(fields: list[Field]) -> list[Field]:
    seen: set[str] = set()
    for field in fields:
        if field.name in seen:
            raise InputError("is given twice; give it once", field=shortened(field.name))
        seen.add(field.name)
    return fields


def _keyed(body: Buffer, media: MediaType, lone: Parameter) -> bool:
    """Whether `body` is an object with the parameter's name as a member, rather than its value."""
    if media.is_msgpack:
        if body[0] & 0xF0 != 0x80 and body[0] not in (0xDE, 0xDF):
            return False
    elif not bytes(body[:64]).lstrip().startswith(b"{"):
        return False
    if lone.kind != "tensor":
        return True
    decode = msgspec.msgpack.decode if media.is_msgpack else msgspec.json.decode
    try:
        return lone.name in decode(body, type=dict[str, msgspec.Raw])
    except INVALID:
        return False


def _result(hint: Any, where: str) -> ResultSpec:
    where = f"{where}, result"
    if hint is type(None):
        return ResultSpec("none", {"type": "null"})
    if is_pillow(hint) or is_array(hint):
        return ResultSpec("image" if is_pillow(hint) else "tensor", result_schema(hint))
    read = read_hint(hint, where)
    if read.tensor is not None:
        return ResultSpec("tensor", tensor_schema(read.tensor))
    try:
        schema = result_schema(hint)
    except TypeError as error:
        raise SpecError(f"{where} is annotated {hint!r}, which cannot be encoded: {error}") from error
    return ResultSpec("value" if read.optional else read.kind, schema)
