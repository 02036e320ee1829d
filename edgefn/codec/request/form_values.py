"""Texts and files of forms and queries as a value of a type: numbers are read from their words here, and only here.

What browsers send of a form is understood: a file that was not chosen, an empty number, a checkbox that is "on",
repeated names for a list.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import inspect

from edgefn.codec import members
from edgefn.codec.request.base64_images import build
from edgefn.codec.request.body import base64_text, json_text
from edgefn.codec.request.body.file_kinds import is_picture
from edgefn.codec.request.body.forms import FormField
from edgefn.codec.request.unknown_members import check_of
from edgefn.codec.request.validation import INVALID, WRONG_WORDS, input_error, located, shortened
from edgefn.codec.type_names import shown
from edgefn.errors import InputError
from edgefn.images.image import Image

ABSENT: Any = msgspec.UNSET
"""What a form gives for an empty number or a file that was not chosen: nothing."""

_SWITCHES = {"on": True, "off": False}
_PLAIN = (inspect.IntType, inspect.FloatType, inspect.StrType)
"""Types whose text needs no look."""
_TEXTS = (inspect.StrType, inspect.AnyType, inspect.EnumType, inspect.LiteralType, inspect.RawType)
_NUMBERS = (inspect.IntType, inspect.FloatType, inspect.DecimalType)
_NUMBER = re.compile(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?")
_FRACTION = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d{1,4})?", re.ASCII)
_INEXACT = (inspect.FloatType, inspect.DecimalType, *_TEXTS)
_MAX_DIGITS = 400
"""Of a whole number: a float has at most 309, and msgspec refuses those."""
_LISTS = (*members.ITEMS, inspect.TupleType)
_SCALARS = (
    inspect.NoneType,
    inspect.BoolType,
    inspect.IntType,
    inspect.FloatType,
    inspect.StrType,
    *base64_text.BYTES,
    inspect.EnumType,
    inspect.LiteralType,
    inspect.DateTimeType,
    inspect.DateType,
    inspect.TimeType,
    inspect.TimeDeltaType,
    inspect.UUIDType,
    inspect.DecimalType,
)
_SCALARS_BUT_NONE = tuple(kind for kind in _SCALARS if kind is not inspect.NoneType)


def is_scalar(info: inspect.Type) -> bool:
    """Tell whether every value of the type is one word."""
    if isinstance(info, inspect.Metadata):
        return is_scalar(info.type)
    if isinstance(info, inspect.UnionType):
        return all(is_scalar(one) for one in info.types)
    return isinstance(info, _SCALARS)


def is_list(info: inspect.Type) -> bool:
    """Tell whether a repeated name is a value of the type: a list of words, of bytes or of images."""
    return members.holds(info, *_LISTS) and (is_scalar(one := members.item(info, 0)) or _is_image(one))


class FormReader:
    """Read fields as values of one type; what it asks of the type is known beforehand."""

    def __init__(self, wire: Any, info: inspect.Type) -> None:
        self._wire = wire
        self._info = info
        self._plain = isinstance(info, _PLAIN)
        self._check = check_of(info)
        self._has_bytes = members.contains(info, *base64_text.BYTES)
        self._has_dates = members.contains(info, inspect.DateTimeType, keys=True)
        self._finite = not members.contains(info, inspect.FloatType, inspect.DecimalType, inspect.AnyType)

    def is_document(self, field: FormField) -> bool:
        """Tell whether a part is the value in JSON or msgpack, by its type."""
        return field.media.is_document and not _is_item(field, self._info)

    def read(self, fields: Sequence[FormField], *, multipart: bool) -> Any:
        """Return the value of a parameter's fields; ABSENT where they say that nothing was given.

        Bytes are as they stand in a multipart form, and base64 elsewhere.

        Raise InputError where a value that is no list is given twice, and ValueError whose text ends with the path.
        """
        if self._plain and len(fields) == 1 and fields[0].data and not fields[0].is_file and fields[0].media.is_utf8:
            return self._convert(_exact(str(fields[0].data, "utf-8"), self._info))
        value = builtin(fields, self._info, multipart=multipart)
        return value if value is ABSENT else self._convert(value)

    def read_members(self, fields: Mapping[str, Sequence[FormField]], path: str, *, multipart: bool) -> Any:
        """Return the value of fields that are its members. Raise InputError naming the member below `path`."""
        found: dict[str, Any] = {}
        for name, given in fields.items():
            try:
                value = builtin(given, members.member(self._info, name), multipart=multipart)
            except InputError as error:
                raise InputError(str(error), field=f"{path}.{name}") from error
            except INVALID as error:
                raise input_error(error, f"{path}.{name}") from error
            if value is not ABSENT:
                found[name] = value
        return self._convert(found)

    def _convert(self, value: Any) -> Any:
        if self._has_dates:
            _check_dates(value, self._info)
        if self._has_bytes:
            value = base64_text.normalised(value, self._info)
        try:
            found = msgspec.convert(value, self._wire, strict=False, dec_hook=build)
        except msgspec.ValidationError as error:
            raise _told(error, value, self._info) from error
        except TypeError as error:
            raise ValueError(f"has a value that cannot be in a set: {error}") from error
        if self._check is not None:
            self._check(found, value, "")
        if not self._finite:
            _check_finite(msgspec.to_builtins(found, enc_hook=repr))
        return found


def builtin(fields: Sequence[FormField], info: inspect.Type, *, multipart: bool) -> Any:
    """Return what `msgspec.convert` makes a value of the type of, not strict; ABSENT where nothing was given."""
    fields = [field for field in fields if not field.is_unchosen]
    if not fields:
        return ABSENT
    if len(fields) == 1 and _is_typed(fields[0], info):
        return _decoded(fields[0])
    if is_list(info) and not _is_document(fields) and not _is_word(fields, info):
        values = [_single(field, members.item(info, n), multipart=multipart) for n, field in enumerate(fields)]
        return [value for value in values if value is not ABSENT]
    if len(fields) > 1:
        raise InputError("is given twice; give it once")
    return _single(fields[0], info, multipart=multipart)


def _single(field: FormField, info: inspect.Type, *, multipart: bool) -> Any:
    if multipart and _is_file_of(field, info):
        return field.data
    if not field.media.reads_as_utf8(field.data):
        raise InputError(f"is sent as {shortened(field.media.charset)}; send UTF-8")
    text = msgspec.json.decode(field.data, type=str) if field.is_json_text else str(field.data, "utf-8")
    text = _exact(text, info)
    if text and isinstance(info, _PLAIN):
        return text
    if not text and is_scalar(info) and not _may_be_empty(info):
        return ABSENT
    if members.holds(info, inspect.BoolType) and not members.holds(info, *_TEXTS):
        return _SWITCHES.get(text.lower(), text)
    if (members.taken(info) or members.holds(info, *_LISTS) or _is_array_like(info)) and json_text.begins(
        field.data
    ) in (b"{", b"["):
        return msgspec.json.decode(json_text.without_mark(field.data))
    return text


def _may_be_empty(info: inspect.Type) -> bool:
    """Tell whether an empty text counts as a value of the type.

    An empty number or choice does not count: the user gave none. An empty bool counts, so that msgspec refuses it:
    `?sure`, and a ticked checkbox without a value, are not False.
    """
    if isinstance(info, inspect.Metadata):
        return _may_be_empty(info.type)
    if isinstance(info, inspect.UnionType):
        nullable = members.holds(info, inspect.NoneType)
        return any(_may_be_empty(one) for one in info.types if not (nullable and isinstance(one, inspect.BoolType)))
    if isinstance(info, inspect.EnumType):
        return any(one.value == "" for one in info.cls)
    if isinstance(info, inspect.LiteralType):
        return "" in info.values
    return isinstance(info, inspect.StrType | inspect.BytesType | inspect.BoolType)


def _exact(text: str, info: inspect.Type) -> str:
    """Return the text of a whole number as its digits: msgspec reads one with a fraction as a float, and rounds it."""
    if (
        text.isdecimal()
        or not members.holds(info, inspect.IntType)
        or members.holds(info, *_INEXACT)
        or not _FRACTION.fullmatch(text)
    ):
        return text
    number = Decimal(text)
    if number.adjusted() > _MAX_DIGITS:
        return text
    if number != (whole := int(number)):
        raise ValueError(f"expected {shown(info)}, got {shortened(text)!r}")
    return str(whole)


def _is_typed(field: FormField, info: inspect.Type) -> bool:
    """Tell whether a part is JSON or msgpack by its type; the file of a text or of bytes is its content."""
    if (
        not field.media.is_document
        or members.holds(info, *base64_text.BYTES)
        or _is_image(info)
        or _is_item(field, info)
    ):
        return False
    return (
        not members.is_text(info)
        or field.is_json_text
        or (members.holds(info, inspect.NoneType) and field.is_json_null)
    )


def _is_item(field: FormField, info: inspect.Type) -> bool:
    """Tell whether a part is a file of a list of bytes: of whatever type, it is one of them."""
    return field.filename is not None and members.holds(members.item(info, 0), *base64_text.BYTES)


def _decoded(field: FormField) -> Any:
    if field.media.is_msgpack:
        return msgspec.msgpack.decode(field.data)
    return msgspec.json.decode(json_text.without_mark(field.data))


def _is_file_of(field: FormField, info: inspect.Type) -> bool:
    """Tell whether a part of a multipart form is the bytes or the picture themselves, whatever it is called."""
    if members.holds(info, *base64_text.BYTES):
        return field.is_file or not members.holds(info, *_TEXTS)
    return _is_image(info) and (field.is_file or is_picture(field.data))


def _is_array_like(info: inspect.Type) -> bool:
    """Tell whether a value of the type is written as an array of items, each of a type of its own."""
    return members.holds(info, inspect.NamedTupleType) or not isinstance(members.item(info, 0), inspect.AnyType)


def _is_document(fields: Sequence[FormField]) -> bool:
    return len(fields) == 1 and not fields[0].is_file and json_text.is_document(fields[0].data, b"[")


def _is_word(fields: Sequence[FormField], info: inspect.Type) -> bool:
    """Tell whether a single field of an `int | list[int]` is the int; `name[]` is a list."""
    return len(fields) == 1 and not fields[0].name.endswith("[]") and members.holds(info, *_SCALARS_BUT_NONE)


def _is_image(info: inspect.Type) -> bool:
    if isinstance(info, inspect.UnionType):
        return any(_is_image(one) for one in info.types)
    return isinstance(info, inspect.CustomType) and info.cls is Image


def _told(error: Exception, value: Any, info: inspect.Type) -> Exception:
    """Translate `error` for a user that typed a text."""
    text, path = located(str(error))
    given = _at(value, path)
    if isinstance(given, str) and (text.endswith("got `str`") or text.startswith(WRONG_WORDS)):
        return ValueError(f"expected {shown(members.at(info, path))}, got {shortened(given)!r} - at `${path}`")
    return error


def _check_dates(value: Any, info: inspect.Type, path: str = "") -> None:
    """Raise ValueError where a number stands for a date and time: msgspec counts it in seconds from 1970, 2026 too."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            _check_dates(one, members.item(info, number), f"{path}[{number}]")
    elif isinstance(value, dict):
        for name, one in value.items():
            _check_dates(name, members.key(info), path)
            _check_dates(one, members.member(info, name), f"{path}.{name}")
    elif (
        members.holds(info, inspect.DateTimeType)
        and not members.holds(info, *_TEXTS, *_NUMBERS)
        and _NUMBER.fullmatch(str(value))
    ):
        raise ValueError(f"expected {shown(info)}, got {shortened(str(value))!r} - at `${path}`")


def _at(value: Any, path: str) -> Any:
    for step in members.steps(path):
        try:
            value = value[step]
        except (LookupError, TypeError):
            return None
    return value


def _check_finite(value: Any) -> None:
    """Raise ValueError when a number in `value` (of builtins) is NaN or infinite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"text cannot represent {value}; send a finite number, or msgpack")
    if isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            _check_finite(one)
