"""From a request to a handler's arguments, by its type hints.

A request holds values by name: the members of a JSON or msgpack object, the fields of a multipart or urlencoded form,
or of the query string (which may stand beside a body; nothing may be given twice, and nothing unknown). Or its body is
the value of one parameter: the only one, the only one that is required, or the only one of a body's kind (an Image, a
tensor, bytes, str, a struct, dict or list) that the query does not give. An object that has that parameter's name as a
member is keyed, unless the parameter takes such an object itself. Fields, too, may be the members of the only one that
is required.

It never guesses a number from a word: JSON and msgpack are strict, only forms and queries read numbers from text. JSON
and text are UTF-8; NaN and infinity come by msgpack, .npy and raw tensors only. A body whose content type says nothing
is read as what the parameters want (`edgefn.codec.request.body.untyped`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Set
from typing import Any

import msgspec

from edgefn.codec.json_schema import result_schema, tensor_schema
from edgefn.codec.media_types import FORM, JSON, MULTIPART, REMEMBERED, MediaType, media_type
from edgefn.codec.request.body import encodings, untyped
from edgefn.codec.request.body.forms import MAX_FIELDS, FormField, multipart, urlencoded
from edgefn.codec.request.choice import BodyChoice
from edgefn.codec.request.form_values import ABSENT
from edgefn.codec.request.kinds import ValueParameter, parameter
from edgefn.codec.request.parameters import Buffer, Dims, Parameter
from edgefn.codec.request.structured import Reader
from edgefn.codec.request.validation import INVALID, input_error, shortened
from edgefn.codec.result.schemas import is_array_class
from edgefn.codec.type_hints import hints_of, is_array, is_pillow, read_hint
from edgefn.dimensions.sizes import combined
from edgefn.errors import BodyTooLarge, InputError, SpecError, UnsupportedMediaType
from edgefn.spec import ParameterSpec, ResultSpec
from edgefn.text.suggestion import did_you_mean

_JSON = MediaType(JSON)

TOO_LARGE = (
    "the decoded request needs more memory than the function has; send less at a time, or give the function more "
    "`memory`"
)
"""The error for a request that does not fit the function's memory."""

MAX_BODY_BYTES = 1 << 30
"""What a body may be once it is unpacked, where nothing else is said."""

BUTTONS = frozenset({"submit", "submit.x", "submit.y", "commit", "_charset_"})
"""Fields that browsers add to a form: its buttons', and the charset's."""


class Request(msgspec.Struct, frozen=True):
    """What a handler's arguments are read from. `query` is the query string, without its question mark.

    A `body` that can be written to is the request's own: an array may be made of its very memory. `encoding` is its
    Content-Encoding; unpacked it has at most `max_body` bytes. `ignores_query` lets unknown query parameters pass.
    """

    content_type: str = ""
    body: bytes | bytearray | memoryview = b""
    query: str = ""
    encoding: str = ""
    max_body: int = MAX_BODY_BYTES
    ignores_query: bool = False

    def unpacked(self) -> Buffer:
        """Return the body without its coding. Raise UnsupportedEncoding, BodyTooLarge and InputError."""
        return encodings.decoded(self.body, self.encoding, self.max_body)


class Signature:
    """A handler's parameters and result, and the decoders made for them once."""

    def __init__(self, parameters: Iterable[Parameter], result: ResultSpec) -> None:
        self._by_name = {parameter.name: parameter for parameter in parameters}
        self.parameters: tuple[ParameterSpec, ...] = tuple(p.spec for p in self._by_name.values())
        self.result = result
        self._required = frozenset(spec.name for spec in self.parameters if spec.required)
        self._choice = BodyChoice.of(tuple(self._by_name.values()))
        principal = self._choice.principal
        self._only_by_name = principal is None or not principal.takes_objects
        self._choices = {frozenset[str](): self._choice}
        self._lone = principal if self._choice.is_only else None
        members = [(p.name, p.wire, msgspec.UNSET) for p in self._by_name.values()]
        self._object = Reader(msgspec.defstruct("Arguments", members, forbid_unknown_fields=True))

    @classmethod
    def of(cls, handler: Callable[..., Any]) -> Signature:
        """Return the signature of `handler`. Raise SpecError naming a parameter that no request can carry."""
        where = f"function {handler.__name__}"
        hints = hints_of(handler)
        combined({name: hint.tensor for name, (hint, _) in hints.parameters.items() if hint.tensor is not None}, where)
        parameters = [parameter(name, hint, default, where) for name, (hint, default) in hints.parameters.items()]
        return cls(parameters, _result(hints.result, where))

    def decode(self, request: Request) -> dict[str, Any]:
        """Return the arguments by name; a parameter with a default that the request does not give is left out.

        Raise InputError naming the field that is missing, unknown or wrong, UnsupportedMediaType, and BodyTooLarge for
        what takes more memory than there is.
        """
        dims: Dims = {}
        try:
            if request.encoding and request.body:
                request = msgspec.structs.replace(request, body=request.unpacked(), encoding="")
            by_name = self._is_by_name(request)
            given = self._from_object(request.body, _JSON, dims) if by_name else self._read_request(request, dims)
            if not given.keys() >= self._required:
                self._add_empty(request, given)
        except MemoryError as error:
            raise _too_large(error) from None
        return given

    def _read_request(self, request: Request, dims: Dims) -> dict[str, Any]:
        """Return the values that the body and the query give."""
        query = self._fields_of_query(request) if request.query else {}
        given: dict[str, Any] = {}
        if body := request.body:
            given = self._from_body(body, request.content_type, query.keys(), dims)
        if query:
            self._add_query(query, given, dims)
        return given

    def _is_by_name(self, request: Request) -> bool:
        """Tell whether it is what most are: a JSON object of parameters, none of which takes an object itself."""
        return self._only_by_name and request.content_type == JSON and request.body[:1] == b"{" and not request.query

    @property
    def note(self) -> str:
        """Return a note for the author on how requests are read; empty where no request is ambiguous."""
        lone = self._lone
        if lone is None or not (lone.takes_any or lone.name in lone.members) or lone.kind != "value":
            return ""
        return (
            f"an object is read as the value of {lone.name}, even if it has a member {lone.name}: adding another "
            "parameter later would change that"
        )

    # ── the body ─────────────────────────────────────────────────────────────────────────────────────────────

    def _from_body(self, body: Buffer, content_type: str, queried: Set[str], dims: Dims) -> dict[str, Any]:
        media = media_type(content_type)
        choice = self._choice_beside(queried) if queried else self._choice
        if media.name == MULTIPART:
            return self._from_fields(self._grouped(multipart(body, media)), choice, dims, multipart=True)
        value = choice.body(body, media)
        if media.name in untyped.NAMES:
            if untyped.is_form(body, media, self._by_name.values(), value):
                return self._from_fields(self._grouped(urlencoded(body, media)), choice, dims, multipart=False)
            media = untyped.media(body, media, value)
        if media.is_document:
            return self._from_structured(body, media, choice, dims)
        if value is None or not (value.reads(media) or value.claims(body, media)):
            raise self._unsupported(content_type)
        return {value.name: value.from_body(body, media, dims)}

    def _choice_beside(self, queried: Set[str]) -> BodyChoice:
        """Choose how to read the body when the query gives the parameters in `queried`.

        Unknown names are refused later.
        """
        given = frozenset(queried & self._by_name.keys())
        choice = self._choices.get(given)
        if choice is None:
            left = tuple(one for one in self._by_name.values() if one.name not in given)
            choice = BodyChoice.of(left)._replace(is_only=False)
            if len(self._choices) < REMEMBERED:
                self._choices[given] = choice
        return choice

    def _from_structured(self, body: Buffer, media: MediaType, choice: BodyChoice, dims: Dims) -> dict[str, Any]:
        if not media.reads_as_utf8(body):
            raise UnsupportedMediaType(f"the body is sent as {shortened(media.charset)}; send JSON as UTF-8")
        principal = choice.principal
        try:
            keyed = principal is None or choice.is_keyed(body, media, self._by_name.keys())
        except INVALID as error:
            raise input_error(error) from error
        if principal is None or keyed:
            return self._from_object(body, media, dims)
        if principal.kind == "bytes" and not untyped.is_text(body, media, nullable=principal.nullable):
            return {principal.name: principal.from_body(body, media, dims)}
        return {principal.name: principal.from_object(body, media, dims)}

    def _from_object(self, body: Buffer, media: MediaType, dims: Dims) -> dict[str, Any]:
        """Return the arguments of an object keyed by their names."""
        try:
            members = msgspec.structs.asdict(self._object.read(body, media))
        except INVALID as error:
            raise self._of_object(input_error(error, known=self._by_name)) from error
        return {
            name: self._by_name[name].from_member(value, dims)
            for name, value in members.items()
            if value is not msgspec.UNSET
        }

    def _of_object(self, error: InputError) -> InputError:
        """Add to `error`, of an object that is read by name, the expected object unless it names it already."""
        principal = self._choice.principal
        if not error.field and str(error).startswith("Expected `object`"):
            return InputError(f"{error}; send {self._accepted()}")
        if principal is not None and error.field == principal.name in principal.members:
            name = principal.name
            return InputError(
                f'{str(error).partition(": ")[2]}: {name} is read by name here; send {{"{name}": {{...}}}}', field=name
            )
        return error

    # ── fields of forms and queries ──────────────────────────────────────────────────────────────────────────

    def _from_fields(
        self, fields: dict[str, list[FormField]], choice: BodyChoice, dims: Dims, *, multipart: bool
    ) -> dict[str, Any]:
        principal = choice.principal
        if principal is None or not principal.takes_any:
            taken = self._taken(principal)
            fields = {name: of for name, of in fields.items() if name in taken or name not in BUTTONS}
        if choice.are_members(fields.keys(), self._by_name.keys()):
            assert isinstance(principal, ValueParameter)
            return {principal.name: principal.read_members(fields, multipart=multipart)}
        return self._read(fields, dims, multipart=multipart)

    def _read(self, fields: dict[str, list[FormField]], dims: Dims, *, multipart: bool) -> dict[str, Any]:
        found = {
            name: self._known(name).from_fields(given, dims, multipart=multipart) for name, given in fields.items()
        }
        return {name: value for name, value in found.items() if value is not ABSENT}

    def _taken(self, principal: Parameter | None) -> Set[str]:
        """Return the names that a field may have: the parameters', and those of the principal's members."""
        return self._by_name.keys() | (principal.members if principal is not None else frozenset())

    def _grouped(self, fields: list[FormField]) -> dict[str, list[FormField]]:
        """Return the fields by name, in their order; PHP's and jQuery's `name[]` is `name`."""
        if len(fields) > MAX_FIELDS:
            raise InputError(f"there are more than {MAX_FIELDS} fields")
        found: dict[str, list[FormField]] = {}
        for field in fields:
            name = field.name
            if name.endswith("[]") and name not in self._by_name:
                name = name[:-2]
            found.setdefault(name, []).append(field)
        return found

    def _known(self, name: str) -> Parameter:
        if name not in self._by_name:
            name = shortened(name)
            raise InputError(f"is unknown{did_you_mean(name, self._by_name)}", field=name)
        return self._by_name[name]

    def _fields_of_query(self, request: Request) -> dict[str, list[FormField]]:
        fields = self._grouped(urlencoded(request.query))
        if request.ignores_query:
            taken = self._taken(self._choice.principal)
            fields = {name: given for name, given in fields.items() if name in taken}
        return fields

    def _add_query(self, fields: dict[str, list[FormField]], given: dict[str, Any], dims: Dims) -> None:
        if twice := fields.keys() & given.keys():
            raise InputError("is given in the query and in the body; give it once", field=min(twice))
        if not given and self._choice.are_members(fields.keys(), self._by_name.keys()):
            given.update(self._from_fields(fields, self._choice, dims, multipart=False))
        else:  # members of a body's value cannot be added to: whatever the query names is a parameter
            given.update(self._read(fields, dims, multipart=False))

    # ── what is missing ──────────────────────────────────────────────────────────────────────────────────────

    def _add_empty(self, request: Request, given: dict[str, Any]) -> None:
        # An empty body is a value of bytes or str that are all that is required, and of no other; an empty form has no
        # fields.
        missing = next(name for name in self._by_name if name in self._required and name not in given)
        empty = (
            not request.query and not request.body and media_type(request.content_type).name not in (FORM, MULTIPART)
        )
        principal = self._choice.principal
        if empty and principal is not None and principal.kind in ("bytes", "text"):
            given[missing] = principal.from_body(b"", MediaType(""), {})
            return
        raise InputError(f"is missing; send {self._accepted()}", field=missing)

    def _unsupported(self, content_type: str) -> UnsupportedMediaType:
        shown = repr(shortened(content_type)) if content_type else "a body without a content type"
        return UnsupportedMediaType(f"{shown} cannot be read; send {self._accepted()}")

    def _accepted(self) -> str:
        if self._lone is not None and self._lone.body_like:
            return " or ".join(self._lone.media)
        if not self._by_name:
            return "nothing, or an empty object"
        members = ", ".join(self._by_name)
        value = self._choice.value
        raw = f"; or {value.name} as {' or '.join(value.media)}" if value is not None else ""
        return f"an object of {members} as application/json or application/msgpack, a form or a query{raw}"


def _too_large(error: MemoryError) -> BodyTooLarge:
    with contextlib.suppress(MemoryError, ImportError):  # there is no memory left even for that
        from edgefn.images.memory import release  # not before it is needed: it is not light

        release(error)
    return BodyTooLarge(TOO_LARGE)


def _result(hint: Any, where: str) -> ResultSpec:
    where = f"{where}, result"
    if hint is type(None):
        return ResultSpec("none", {"type": "null"})
    if is_pillow(hint) or is_array(hint) or is_array_class(hint):
        return ResultSpec("image" if is_pillow(hint) else "tensor", result_schema(hint))
    read = read_hint(hint, where)
    if read.tensor is not None:
        return ResultSpec("tensor", tensor_schema(read.tensor))
    try:
        schema = result_schema(hint)
    except TypeError as error:
        raise SpecError(f"{where} is annotated {hint!r}, which cannot be encoded: {error}") from error
    return ResultSpec("value" if read.optional else read.kind, schema)
