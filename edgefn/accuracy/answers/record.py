"""Write down requests, eager's answers to them, and what was found of an artifact's answers.

An answer is MessagePack, whatever its type: exact for floats, NaN and arrays. It is read back as the handler's type
says where an author's comparison is to see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from edgefn.accuracy.answers.share import Verdict, shown_at_least, told, verdict
from edgefn.accuracy.answers.spread import Spread
from edgefn.accuracy.answers.values import Picture, Plain, is_array, plain
from edgefn.codec import arrays
from edgefn.codec.result.members import CANNOT
from edgefn.codec.result.values import MSGPACK_ENCODING, plain_msgpack
from edgefn.codec.type_hints import is_array as is_array_hint
from edgefn.codec.type_hints import is_pillow
from edgefn.images.image import Image

EXAMPLES = 3
"""Mismatches that are shown."""

_SHOWN = 160
_ENCODER = msgspec.msgpack.Encoder(enc_hook=plain_msgpack, order="deterministic")


class Asked(msgspec.Struct, frozen=True):
    """A request that eager answered: the sample's file name, and the content type of its body."""

    name: str
    content_type: str


class Reference(msgspec.Struct, frozen=True):
    """Eager's answers to some requests.

    answers     encoded, one for each of `asked`
    spreads     how far each part of them moves between samples
    unfit       why no artifact can be held against them, e.g. a handler that does not repeat itself; else empty
    """

    asked: tuple[Asked, ...] = ()
    answers: tuple[bytes, ...] = ()
    spreads: dict[str, Spread] = {}
    unfit: str = ""


class Mismatch(msgspec.Struct, frozen=True):
    """One answer that does not match: of which sample, eager's and the artifact's for people, and where they part."""

    sample: str
    expected: str
    actual: str
    reason: str


class Question(msgspec.Struct, frozen=True):
    """A sample request with eager's answer, for an instance that holds its own answer against it.

    precision    of the least precise artifact that it serves with
    """

    asked: Asked
    body: bytes
    expected: bytes
    spreads: dict[str, Spread]
    precision: str


class Agreed(msgspec.Struct, frozen=True):
    """How an artifact's answers match eager's.

    shown    the share of matching answers that these counts show with 95 % confidence
    unfit    why no answer was compared; else empty
    """

    matched: int
    of: int
    verdict: Verdict
    shown: float
    examples: tuple[Mismatch, ...] = ()
    unfit: str = ""

    @property
    def passed(self) -> bool:
        """Tell whether the artifact may serve."""
        return self.verdict != "wrong"

    @property
    def told(self) -> str:
        """Return the counts for people, or the reason why there are none."""
        return self.unfit or told(self.matched, self.of)

    def __str__(self) -> str:
        return f"answers {told(self.matched, self.of)}"


def agreed(mismatches: Sequence[Mismatch], of: int, *, strict: bool) -> Agreed:
    """Return the verdict on `of` compared answers with these `mismatches`."""
    matched = of - len(mismatches)
    found = verdict(matched, of, strict=strict)
    return Agreed(matched, of, found, round(shown_at_least(matched, of), 4), tuple(mismatches[:EXAMPLES]))


def encode(result: Any) -> bytes:
    """Return a handler's result as MessagePack. Raise TypeError naming the member that cannot be encoded."""
    try:
        return _ENCODER.encode(result)
    except CANNOT as error:
        raise TypeError(f"MessagePack cannot hold the result: {MSGPACK_ENCODING.reason(result, error)}") from error


def decode(answer: bytes) -> Plain:
    """Return an encoded answer as plain values."""
    return plain(msgspec.msgpack.decode(answer))


def decode_typed(answer: bytes, hint: Any) -> Any:
    """Return an encoded answer as the type `hint`; where that cannot be read back, as dicts, lists and arrays."""
    try:
        return _with_arrays(msgspec.msgpack.decode(answer, type=_base(hint), dec_hook=_build))
    except (TypeError, msgspec.ValidationError, ValueError):
        return _with_arrays(msgspec.msgpack.decode(answer))


def shown(answer: bytes) -> str:
    """Return an encoded answer for people, cut short."""
    text = _text(decode(answer))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _text(value: Plain) -> str:
    if isinstance(value, Picture) or is_array(value):
        pixels = value.pixels if isinstance(value, Picture) else value
        name = "image" if isinstance(value, Picture) else str(pixels.dtype)
        return f"{name}[{', '.join(map(str, pixels.shape))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_text(member)}' for key, member in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def _base(hint: Any) -> Any:
    import numpy as np

    return np.ndarray if is_array_hint(hint) else hint


def _build(kind: type, value: Any) -> Any:
    import numpy as np

    if is_array_hint(kind):
        return _array(value)
    if kind is Image or is_pillow(kind):
        return Image(value) if kind is Image else Image(value).pil()
    if issubclass(kind, np.generic):
        return kind(value)
    raise TypeError(f"{kind} cannot be read back")


def _array(value: Any) -> Any:
    import numpy as np

    packed = msgspec.convert(value, arrays.Packed)
    return np.frombuffer(packed.data, packed.dtype).reshape(packed.shape)


def _with_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"dtype", "shape", "data"}:
            return _array(value)
        return {key: _with_arrays(member) for key, member in value.items()}
    return [_with_arrays(one) for one in value] if isinstance(value, list) else value
