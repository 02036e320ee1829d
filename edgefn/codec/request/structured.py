"""A JSON or msgpack document as a value of a type: strict, and nothing in it is passed over.

What it raises is a ValueError, or what decoding raises (`validation.INVALID`); the text ends with the path.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect

from edgefn.codec import members
from edgefn.codec.media_types import MediaType
from edgefn.codec.request.base64_images import build
from edgefn.codec.request.body import base64_text, json_text, room
from edgefn.codec.request.unknown_members import check_of
from edgefn.codec.request.validation import WRONG_WORDS, located
from edgefn.codec.type_names import shown

Buffer = bytes | bytearray | memoryview

_BASE64 = "Invalid base64"


class Reader:
    """Read documents of one type; its decoders are made once."""

    def __init__(self, wire: Any) -> None:
        self.info = inspect.type_info(wire)
        self._wire = wire
        self._json = msgspec.json.Decoder(wire, dec_hook=build)
        self._msgpack = msgspec.msgpack.Decoder(wire, dec_hook=build)
        self._check = check_of(self.info)
        self._has_bytes = members.contains(self.info, *base64_text.BYTES)

    def read(self, body: Buffer, media: MediaType) -> Any:
        """Return the value of the whole of `body`, JSON unless `media` is msgpack."""
        try:
            if media.is_msgpack:
                value = self._msgpack.decode(body)
            else:
                body = json_text.without_mark(body)
                value = room.read(self._read_json, body)
        except msgspec.ValidationError as error:
            raise self._with_choices(error) from error
        except TypeError as error:  # of a set's item, or of a key
            raise ValueError(f"has a value that cannot be in a set: {error}") from error
        if self._check is not None:
            raw = msgspec.msgpack.decode(body) if media.is_msgpack else room.read(msgspec.json.decode, body)
            self._check(value, raw, "")
        return value

    def _read_json(self, body: Buffer) -> Any:
        try:
            return self._json.decode(body)
        except msgspec.ValidationError as error:
            if self._has_bytes and _BASE64 in str(error):
                raw = base64_text.normalised(msgspec.json.decode(body), self.info)
                return msgspec.convert(raw, self._wire, str_keys=True, dec_hook=build)
            raise
        except msgspec.DecodeError as error:
            raise json_text.fault(body, error) from error

    def _with_choices(self, error: msgspec.ValidationError) -> Exception:
        """Return the error, with the values that an enum or a Literal takes."""
        text, path = located(str(error))
        if text.startswith(WRONG_WORDS):
            return ValueError(f"{text}: it is {shown(members.at(self.info, path))} - at `${path}`")
        return error
