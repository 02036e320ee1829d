"""A function for each kind of parameter and result: each tells what it got, so that a client's author can be sure.

`told` is how an argument stands in the answer: whole where it is small, by its digest where it is a file.
"""

from __future__ import annotations

import datetime
import enum
import hashlib
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from PIL import Image as Pixels

from edgefn import Image, edge_function, tensor

Rows = Annotated[np.ndarray[Any, np.dtype[np.float32]], tensor("float32", "n", 2)]
LIMITS: Any = {"memory": "64MiB", "idle": "10s", "scale": (0, 1)}


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Reading(msgspec.Struct):
    """What a sensor measured."""

    t: float
    name: str = "kitchen"


@dataclass
class Box:
    left: int
    top: int
    label: str | None = None


class Tree(msgspec.Struct):
    value: int
    below: list[Tree] = []


@dataclass
class Receipt:
    at: datetime.datetime
    price: Decimal
    id: uuid.UUID


def told(value: Any) -> Any:
    """Return `value` as JSON that loses nothing of it."""
    if isinstance(value, Image):
        pixels = value.pil("RGB")
        return {"image": hashlib.sha256(pixels.tobytes()).hexdigest(), "size": list(pixels.size)}
    if isinstance(value, bytes):
        return {"bytes": hashlib.sha256(value).hexdigest(), "length": len(value)}
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.name, "shape": list(value.shape), "values": value.tolist()}
    if isinstance(value, list | tuple):
        return [told(item) for item in value]
    if isinstance(value, dict):
        return {str(name): told(item) for name, item in value.items()}
    return msgspec.to_builtins(value)


# ── one parameter ───────────────────────────────────────────────────────────────────────────────────────────────


@edge_function(**LIMITS)
def take_int(value: int) -> dict[str, Any]:
    """Take a whole number."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_float(value: float) -> dict[str, Any]:
    """Take a number."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_bool(value: bool) -> dict[str, Any]:
    """Take yes or no."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_literal(value: Literal["fast", "good"]) -> dict[str, Any]:
    """Take one of two words."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_enum(value: Colour) -> dict[str, Any]:
    """Take a member of an enum."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_date(value: datetime.date) -> dict[str, Any]:
    """Take a date."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_uuid(value: uuid.UUID) -> dict[str, Any]:
    """Take a UUID."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_optional(value: int | None = None) -> dict[str, Any]:
    """Take a whole number, or none."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_text(value: str) -> dict[str, Any]:
    """Take text."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_bytes(value: bytes) -> dict[str, Any]:
    """Take bytes as they are."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_image(value: Image) -> dict[str, Any]:
    """Take an image."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_rows(value: Rows) -> dict[str, Any]:
    """Take an array of rows of two numbers."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_ints(value: list[int]) -> dict[str, Any]:
    """Take a list of whole numbers."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_texts(value: list[str]) -> dict[str, Any]:
    """Take a list of texts."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_images(value: list[Image]) -> dict[str, Any]:
    """Take a list of images."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_blobs(value: list[bytes]) -> dict[str, Any]:
    """Take a list of byte strings."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_pair(value: tuple[int, str]) -> dict[str, Any]:
    """Take a number and a text."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_dict(value: dict[str, float]) -> dict[str, Any]:
    """Take numbers by name."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_struct(value: Reading) -> dict[str, Any]:
    """Take a struct."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_boxes(value: list[Box]) -> dict[str, Any]:
    """Take a list of dataclasses."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_tree(value: Tree) -> dict[str, Any]:
    """Take a struct that holds itself."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_any(value: Any) -> dict[str, Any]:
    """Take whatever JSON holds."""
    return {"value": told(value)}


@edge_function(**LIMITS)
def take_nothing() -> dict[str, Any]:
    """Take nothing."""
    return {}


# ── several ─────────────────────────────────────────────────────────────────────────────────────────────────────


@edge_function(**LIMITS)
def take_scalars(count: int, share: float = 0.5, mode: Literal["fast", "good"] = "good") -> dict[str, Any]:
    """Take three scalars, two of them with a default."""
    return {"count": count, "share": share, "mode": mode}


@edge_function(**LIMITS)
def take_image_and(image: Image, width: int, mode: Literal["fast", "good"] = "good", note: str = "") -> dict[str, Any]:
    """Take an image with scalars and a text beside it."""
    return {"image": told(image), "width": width, "mode": mode, "note": note}


@edge_function(**LIMITS)
def take_image_or_mask(image: Image, mask: Image | None = None, share: float | None = None) -> dict[str, Any]:
    """Take an image, and another one that may be missing."""
    return {"image": told(image), "mask": told(mask), "share": share}


@edge_function(**LIMITS)
def take_two_images(a: Image, b: Image, share: float = 0.5) -> dict[str, Any]:
    """Take two images and a number."""
    return {"a": told(a), "b": told(b), "share": share}


@edge_function(**LIMITS)
def take_rows_and(x: Rows, scale: float = 1.0) -> dict[str, Any]:
    """Take an array and a number."""
    return {"x": told(x), "scale": scale}


@edge_function(**LIMITS)
def take_bytes_and(data: bytes, name: str = "none") -> dict[str, Any]:
    """Take bytes and a text."""
    return {"data": told(data), "name": name}


@edge_function(**LIMITS)
def take_struct_and(reading: Reading, limit: float = 0.5) -> dict[str, Any]:
    """Take a struct and a number."""
    return {"reading": told(reading), "limit": limit}


@edge_function(**LIMITS)
def take_lists_and(images: list[Image], names: list[str], count: int = 1) -> dict[str, Any]:
    """Take two lists and a number."""
    return {"images": told(images), "names": names, "count": count}


# ── results ─────────────────────────────────────────────────────────────────────────────────────────────────────


@edge_function(**LIMITS)
def give_int() -> int:
    """Give a whole number."""
    return 7


@edge_function(**LIMITS)
def give_text() -> str:
    """Give text."""
    return "grüß dich"


@edge_function(**LIMITS)
def give_bytes() -> bytes:
    """Give bytes."""
    return b"\x00\xff\x80"


@edge_function(**LIMITS)
def give_image() -> Image:
    """Give an image of three by two pixels."""
    return Image.from_pil(Pixels.new("RGB", (3, 2), (200, 100, 50)))


@edge_function(**LIMITS)
def give_rows() -> Rows:
    """Give an array."""
    return np.array([[1, 2], [3, 4]], np.float32)


@edge_function(**LIMITS)
def give_nothing() -> None:
    """Give nothing."""


@edge_function(**LIMITS)
def give_struct() -> Reading:
    """Give a struct."""
    return Reading(21.5)


@edge_function(**LIMITS)
def give_list() -> list[Box]:
    """Give a list of dataclasses."""
    return [Box(1, 2), Box(3, 4, "door")]


@edge_function(**LIMITS)
def give_pair() -> tuple[int, str]:
    """Give a tuple."""
    return 1, "one"


@edge_function(**LIMITS)
def give_maybe() -> int | None:
    """Give a number, or none: none, here."""
    return None


@edge_function(**LIMITS)
def give_receipt() -> Receipt:
    """Give values that are text in JSON."""
    return Receipt(datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC), Decimal("1.50"), uuid.UUID(int=1))


@edge_function(**LIMITS)
def give_tree() -> Tree:
    """Give a struct that holds itself."""
    return Tree(1, [Tree(2)])
