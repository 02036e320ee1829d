"""A client that means arguments and writes them as clients do: by name, bare, as fields, parts or a file.

Unlike `documented` it knows docs/handlers.md and not `/openapi.json`. Where that page leaves a request open, as an
object for a lone dict, none is written.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import Any, NamedTuple, get_args, get_origin
from urllib.parse import quote, quote_plus, urlencode

import msgspec
import numpy as np

from edgefn import Image
from edgefn.codec.request.signature import Request
from edgefn.spec import TensorSpec
from tests.clients.arguments import SCALARS, Reading
from tests.clients.documented import Value
from tests.clients.odd_arguments import ODD_WORDS, UINT8, Row

JSON, MSGPACK, FORM = "application/json", "application/msgpack", "application/x-www-form-urlencoded"
_JSON_TYPES = (JSON, "Application/JSON; charset=UTF-8", 'text/json;charset="utf-8"', "application/vnd.api+json")
_UNTOLD = ("", FORM, "application/octet-stream", "*/*", "text/plain")
_FILES: dict[Any, tuple[str, ...]] = {
    Image: ("image/png", "image/x-unknown", "application/octet-stream", "", FORM, "*/*"),
    np.ndarray: ("application/x-npy", "application/octet-stream", "", FORM, "text/plain"),
    bytes: ("application/octet-stream", "video/mp4", "application/zip", ""),
    str: ("text/plain", "text/csv; charset=utf-8", "application/octet-stream"),
}
"""The kinds that a body by itself is the file of, and the types that clients call it by."""
_BASE64 = (bytes, Image, list[bytes], list[Image])
_LISTS = (list, set, frozenset)
_WORDS = (*SCALARS, *ODD_WORDS)
_BOUNDARY = b"bound'ary"
_MULTIPART = f"multipart/form-data; boundary={_BOUNDARY.decode()}"


class Meant(NamedTuple):
    """Arguments to be written; `kinds` are those of all parameters, `required` the names that have no default."""

    kinds: Mapping[str, Any]
    required: frozenset[str]
    given: Mapping[str, Value]
    random: Random

    def requests(self) -> Iterator[tuple[str, Request]]:
        """Write each request that means them, with the name of the way."""
        for way, request in (*self._whole(), *self._divided(), *self._bare(), *self._members()):
            yield way, self._packed(request)

    def _whole(self) -> Iterator[tuple[str, Request]]:
        names = frozenset(self.given)
        if names or not self._may_be_object():
            yield from self._named(names, "")
        if names:
            yield "query", Request(query=self._urlencoded(names))

    def _divided(self) -> Iterator[tuple[str, Request]]:
        """A part of the arguments in the query, the others in the body."""
        if len(self.given) > 1:
            queried = frozenset(self.random.sample(sorted(self.given), self.random.randrange(1, len(self.given))))
            for way, request in self._named(frozenset(self.given) - queried, self._urlencoded(queried)):
                yield f"query and {way}", request

    def _named(self, names: frozenset[str], query: str) -> Iterator[tuple[str, Request]]:
        if not (len(self.kinds) == 1 and self._may_be_object()):
            text = json.dumps({name: self._json(name) for name in names}, ensure_ascii=self.random.random() < 0.5)
            yield "json", Request(self._json_type(), self._blanks() + text.encode(), query)
            packed = {name: self.given[name].msgpack for name in names}
            yield "msgpack", Request(MSGPACK, msgspec.msgpack.encode(packed), query)
        if names:
            has_button = self.random.random() < 0.3 and not self._may_be_object() and "submit" not in self.kinds
            button = "submit=Send&" if has_button else ""
            yield "form", Request(FORM, (button + self._urlencoded(names)).encode(), query)
            yield "multipart", Request(_MULTIPART, self._multipart(names), query)

    def _bare(self) -> Iterator[tuple[str, Request]]:
        """One argument as the body itself, the others in the query."""
        for name, value in self.given.items():
            others = frozenset(self.given) - {name}
            query, kind = self._urlencoded(others), self.kinds[name]
            is_body = name in self.required or not self._has_bodies(others | {name})
            if (files := _FILES.get(_base(kind))) and value.files[0] and is_body:
                yield "file", Request(self.random.choice(files), value.files[0], query)
            is_principal = self.kinds.keys() == self.given.keys() or name in self.required
            if is_principal and (len(self.kinds) == 1 or not takes_any(kind)):
                yield "bare json", Request(JSON, self._blanks() + json.dumps(self._json(name)).encode(), query)
                yield "bare msgpack", Request(MSGPACK, msgspec.msgpack.encode(value.msgpack), query)

    def _members(self) -> Iterator[tuple[str, Request]]:
        """The members of a struct that is all that is needed as fields and parts, the others in the query."""
        for name, value in self.given.items():
            if self.kinds[name] is Reading and (len(self.kinds) == 1 or self.required == {name}):
                query = self._urlencoded(frozenset(self.given) - {name})
                fields = {member: one if isinstance(one, str) else repr(one) for member, one in value.json.items()}
                yield "members", Request(FORM, urlencode(fields).encode(), query)
                parts = [
                    _part(member, text.encode(), "text/plain")
                    if self.random.random() < 0.5
                    else _part(member, json.dumps(value.json[member]).encode(), JSON)
                    for member, text in fields.items()
                ]
                yield "members as parts", Request(_MULTIPART, _joined(parts), query)

    def _has_bodies(self, names: frozenset[str]) -> bool:
        """Tell whether a body can be the value of a parameter that is none of `names`."""
        return any(self.kinds[name] not in _WORDS for name in self.kinds.keys() - names)

    # ── spelling ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _may_be_object(self) -> bool:
        return any(kind is bytes or takes_any(kind) for kind in self.kinds.values())

    def _json_type(self) -> str:
        told = self.random.random() < 0.7 or any(kind in (bytes, str, UINT8) for kind in self.kinds.values())
        return self.random.choice(_JSON_TYPES if told else _UNTOLD)

    def _blanks(self) -> bytes:
        return self.random.choice([b"", b"", b"\xef\xbb\xbf", b" \r\n"])

    def _json(self, name: str) -> Any:
        value = self.given[name].json
        if self.kinds[name] not in _BASE64:
            return value
        return [self._base64(one) for one in value] if isinstance(value, list) else self._base64(value)

    def _base64(self, text: str) -> str:
        spellings = (
            text,
            text.rstrip("="),
            text.translate({43: "-", 47: "_"}),
            f"{text}\n",
            f"data:a/b;base64,{text}",
            f"DATA:;BASE64,{text}",
        )
        return self.random.choice(spellings)

    def _texts(self, name: str) -> list[tuple[str, str]]:
        texts = self.given[name].texts
        if self.kinds[name] in _BASE64:
            texts = [self._base64(text) for text in texts]
        several = is_repeated(self.kinds[name]) and texts != ["[]"]
        return [(f"{name}[]" if several and self.random.random() < 0.3 else name, text) for text in texts]

    def _urlencoded(self, names: frozenset[str]) -> str:
        safe = self.random.choice(["", "/:[]", None])
        ordered = self.random.sample(sorted(names), len(names))
        fields = [field for name in ordered for field in self._texts(name)]
        return "&".join(f"{_escaped(field, safe)}={_escaped(text, safe)}" for field, text in fields)

    def _multipart(self, names: frozenset[str]) -> bytes:
        parts = [part for name in self.random.sample(sorted(names), len(names)) for part in self._parts(name)]
        return _joined(parts)

    def _parts(self, name: str) -> Iterator[bytes]:
        value, kind = self.given[name], self.kinds[name]
        if kind in (bytes, list[bytes]) or (_base(kind) in (*_FILES, list[Image]) and self.random.random() < 0.5):
            media = "text/plain" if kind is str else self.random.choice(["", "application/octet-stream", "image/png"])
            yield from (_part(name, data, media, "a.bin") for data in value.files)
        elif kind not in _BASE64 and self.random.random() < 0.4:
            yield _part(name, json.dumps(value.json).encode(), JSON)
        else:
            media = self.random.choice(["", "text/plain", "text/plain; charset=UTF-8"])
            yield from (_part(field, text.encode(), media) for field, text in self._texts(name))

    def _packed(self, request: Request) -> Request:
        if not request.body or self.random.random() < 0.8:
            return request
        return msgspec.structs.replace(request, body=gzip.compress(bytes(request.body)), encoding="gzip")


def _base(kind: Any) -> Any:
    return np.ndarray if isinstance(getattr(kind, "__metadata__", (None,))[0], TensorSpec) else kind


def takes_any(kind: Any) -> bool:
    """Tell whether an object of any names is of the kind."""
    return get_origin(kind) is dict


def is_repeated(kind: Any) -> bool:
    """Tell whether a repeated name is of the kind: a list of words or files."""
    items = get_args(kind)
    if get_origin(kind) is tuple:
        return items[-1] is Ellipsis
    return get_origin(kind) in _LISTS and get_origin(items[0]) is None and items[0] not in (Reading, Row)


def _escaped(text: str, safe: str | None) -> str:
    return quote_plus(text) if safe is None else quote(text, safe)


def _joined(parts: Iterable[bytes]) -> bytes:
    return b"".join(b"--%b\r\n%b\r\n" % (_BOUNDARY, part) for part in parts) + b"--%b--" % _BOUNDARY


def _named(name: str, data: bytes) -> str:
    """Return the name of a field as browsers, aiohttp and .NET write it, by turns."""
    match len(data) % 3 if not name.isascii() else 0:
        case 1:
            return f"name*=utf-8''{quote(name)}"
        case 2:
            return f'name="=?utf-8?B?{b64encode(name.encode()).decode()}?="'
    return f'name="{name}"'


def _part(name: str, data: bytes, media: str, filename: str = "") -> bytes:
    head = f"Content-Disposition: form-data; {_named(name, data)}" + (f'; filename="{filename}"' if filename else "")
    return f"{head}\r\n{f'Content-Type: {media}' if media else 'X: y'}\r\n\r\n".encode() + data
