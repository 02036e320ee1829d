"""Text that others wrote, as a terminal may show it: what it would act on is written out. Pure.

A terminal acts on control characters: it moves its cursor, changes its title, pastes into its input. So do the second
half of them, U+0080 to U+009F; and marks of direction (Unicode, UAX 9) show one text as another.
"""

from __future__ import annotations

import re

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""All but the tab and the line feed."""


def visible(text: str) -> str:
    """Return `text` with each character that a terminal would act on written out, e.g. `\\x1b`."""
    return text if text.isprintable() else UNPRINTABLE.sub(_escaped, text)


def visible_json(text: str) -> str:
    """Return a JSON text with such characters, which stand in strings alone, as JSON's own escapes: the same value."""
    return text if text.isprintable() else UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] == "\r":
        return "\\r"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
