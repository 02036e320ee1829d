"""`picture(...)`: how the picture of a parameter is read, beside its type.

def count(photo: Annotated[Image, picture(lenient=True)]) -> int: ...
"""

from __future__ import annotations

import msgspec


class PictureSpec(msgspec.Struct, frozen=True):
    """What `picture(...)` declares."""

    lenient: bool = False


def picture(*, lenient: bool = False) -> PictureSpec:
    """Declare how a picture is read: `Annotated[Image, picture(lenient=True)]`.

    `lenient`: a JPEG or PNG that was cut short, as IP cameras send them, gives the pixels that arrived, the rest grey,
    instead of a 400.
    """
    return PictureSpec(lenient)
