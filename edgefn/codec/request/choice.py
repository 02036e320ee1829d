"""Which parameter a request's body is the value of, and whether an object is that value or has it as a member. Pure."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

import msgspec

from edgefn.codec.media_types import MediaType
from edgefn.codec.request.body import json_text
from edgefn.codec.request.parameters import Buffer, Parameter

_JSON = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MSGPACK = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])


_LENGTH_OF_EMPTY = 8
"""Bytes that an object without members may take, with a byte order mark or blanks."""


class BodyChoice(NamedTuple):
    """What is decided of the parameters that a request's query does not give.

    principal   the only one, or the only one that is required: a JSON or msgpack document may be its value
    value       the only one of a body's kind, or the only such that is required: any other body is its value
    bodies      all of a body's kind
    is_only     whether the principal is the function's only parameter
    """

    principal: Parameter | None
    value: Parameter | None
    bodies: Sequence[Parameter]
    is_only: bool

    @classmethod
    def of(cls, parameters: Sequence[Parameter]) -> BodyChoice:
        """Decide for `parameters`."""
        bodies = tuple(one for one in parameters if one.body_like)
        value = _only(bodies)
        if value is not None and not value.spec.required and any(one.spec.required for one in parameters):
            value = None  # such a body would lack what is required: it is more likely keyed
        return cls(_only(parameters), value, bodies, len(parameters) == 1)

    def body(self, body: Buffer, media: MediaType) -> Parameter | None:
        """Return the parameter whose value `body` is, unless it is keyed; None where that is open."""
        if self.value is not None or not self.bodies:
            return self.value
        claiming = [one for one in self.bodies if one.claims(body, media) and (one.kind != "text" or one.spec.required)]
        return claiming[0] if len(claiming) == 1 else None

    def is_keyed(self, body: Buffer, media: MediaType, names: Set[str]) -> bool:
        """Tell whether the document in `body` is an object of the function's parameters, by their `names`."""
        principal = self.principal
        assert principal is not None
        if not _is_object(body, media):
            return False
        if not principal.takes_objects:
            return True
        if self.is_only:
            if principal.takes_any:
                return False
            if principal.leaves_empty and len(body) <= _LENGTH_OF_EMPTY and not _keys(body, media):
                return True
            held = bytes(body) if isinstance(body, memoryview) else body
            may_name = principal.mark in held or (not media.is_msgpack and b"\\u" in held)  # JSON may escape any name
            return may_name and not principal.is_value(_keys(body, media))
        keys = _keys(body, media)
        if principal.name in keys:
            return keys <= names or not principal.is_packed(keys)
        is_open = principal.takes_any or principal.kind == "bytes"
        return (is_open or not principal.members >= keys) and bool(keys & names)

    def are_members(self, fields: Set[str], names: Set[str]) -> bool:
        """Tell whether `fields` of a form or a query are members of the principal, not the parameters in `names`."""
        principal = self.principal
        if principal is None or principal.kind != "value" or not principal.members:
            return False
        if self.is_only:
            return fields != {principal.name}
        if principal.name in fields or not fields:
            return False
        return not fields & names if principal.takes_any else fields <= principal.members


def _only(parameters: Sequence[Parameter]) -> Parameter | None:
    needed = parameters if len(parameters) == 1 else [one for one in parameters if one.spec.required]
    return needed[0] if len(needed) == 1 else None


def _is_object(body: Buffer, media: MediaType) -> bool:
    if media.is_msgpack:
        return body[0] & 0xF0 == 0x80 or body[0] in (0xDE, 0xDF)
    return json_text.begins(body) == b"{"


def _keys(body: Buffer, media: MediaType) -> Set[str]:
    """Return the members of an object; none where their names are no texts.

    Raise ValueError where it is malformed.
    """
    try:
        return (_MSGPACK.decode(body) if media.is_msgpack else _JSON.decode(json_text.without_mark(body))).keys()
    except msgspec.ValidationError:
        return frozenset()
    except msgspec.DecodeError as error:
        raise error if media.is_msgpack else json_text.fault(body, error) from error
