"""Turns msgspec's error for a body that does not fit into an InputError with the field and the expected value."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgefn.codec.request.unknown_members import UnknownMember
from edgefn.errors import InputError
from edgefn.text.suggestion import did_you_mean

INVALID = (ValueError, RecursionError, OverflowError)
"""What decoding data from outside raises: msgspec's errors and UnicodeDecodeError are ValueErrors; arrays nested
too deeply are a RecursionError."""

MAX_SHOWN = 200
"""Names and values in an error message come from outside; the answer must not repeat a whole body."""

WRONG_WORDS = ("Invalid enum value", "Invalid RFC3339", "Invalid ISO8601", "Invalid UUID", "Invalid decimal")
"""What msgspec's errors begin with of texts that are none of an enum's, a date, a duration and so on."""

_LOCATED = re.compile(r"(?s)(.*) - at (?:`key` in )?`\$(.*)`")
_UNKNOWN = re.compile(r"(?s)Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")


def input_error(error: Exception, field: str = "", known: Iterable[str] = ()) -> InputError:
    """Return the InputError for `error`, raised below `field`; `known` are the names allowed at the top."""
    text, path = located(str(error))
    if isinstance(error, UnknownMember):
        member = error.path.rpartition(".")[2]
        return InputError(f"is unknown{did_you_mean(member, error.known)}", field=_join(field, error.path))
    if unknown := _UNKNOWN.fullmatch(text):
        name = shortened(unknown[1])
        return InputError(
            f"is unknown{did_you_mean(name, () if path else known)}", field=_join(field, f"{path}.{name}")
        )
    if missing := _MISSING.fullmatch(text):
        return InputError("is missing", field=_join(field, f"{path}.{missing[1]}"))
    if isinstance(error, RecursionError):
        text = "is nested too deeply"
    elif isinstance(error, UnicodeDecodeError):
        text = f"is not UTF-8 (byte {error.start}); send text and JSON as UTF-8"
    return InputError(shortened(text), field=_join(field, path))


def located(text: str) -> tuple[str, str]:
    """Return an error's text without the path that msgspec ends it with, and that path."""
    found = _LOCATED.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")


def shortened(text: str) -> str:
    """Shorten `text` to the length of an error message."""
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def _join(field: str, path: str) -> str:
    return shortened((field + path).removeprefix("."))
