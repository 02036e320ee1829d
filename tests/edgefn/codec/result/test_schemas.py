"""What can be sent can be declared as a result, and what is declared is told to clients."""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from edgefn.codec.request.signature import Signature
from edgefn.codec.result.results import encode
from edgefn.errors import SpecError
from edgefn.spec import ResultSpec
from tests.edgefn.codec.result.kinds_of_results import JSON, KINDS, NOT, Inner, Kind, read

TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}


def _declared(hint: Any) -> ResultSpec:
    def handler() -> None: ...

    handler.__annotations__ = {"return": hint}
    return Signature.of(handler).result


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_type_of_what_can_be_sent_is_a_hint_for_it(kind: Kind) -> None:
    """The function builds, and the schema fits what a client reads from JSON; an array may be its one value."""
    schema = _declared(type(kind.value)).schema
    name = schema.get("type", "null" if kind.value is None else "any")
    if name in TYPES and kind.forms[JSON] is not NOT and not (name == "array" and getattr(kind.value, "ndim", 1) == 0):
        assert isinstance(read(*encode(kind.value, ResultSpec(), JSON)), TYPES[name]), (schema, kind.value)


@pytest.mark.parametrize(
    ("hint", "name"),
    [
        (np.datetime64, "string"),
        (np.timedelta64, "string"),
        (np.str_, "string"),
        (np.bool_, "boolean"),
        (np.int8, "integer"),
        (np.longdouble, "number"),
        (pathlib.Path, "string"),
        (collections.UserString, "string"),
        (collections.deque[int], "array"),
        (range, "array"),
        (collections.Counter[str], "object"),
        (collections.OrderedDict, "object"),
        (np.matrix, "array"),
    ],
)
def test_types_that_msgspec_does_not_know(hint: Any, name: str) -> None:
    """By themselves and inside others."""
    assert _declared(hint).schema == {"type": name}
    assert _declared(list[hint]).schema["items"] == {"type": name}
    assert _declared(dict[str, hint | None]).kind == "value"


def test_an_array_of_any_class_has_the_forms_of_an_array() -> None:
    """For OpenAPI, as np.ndarray itself."""
    assert {_declared(hint).kind for hint in (np.ndarray, np.matrix, np.ma.MaskedArray, np.recarray)} == {"tensor"}


def test_a_dataclass_with_an_argument_for_init_alone_can_be_declared() -> None:
    """msgspec writes it and has no description of it."""
    assert _declared(list[Inner]).schema == {"description": "any value"}


@pytest.mark.parametrize("hint", [complex, np.complex64, Fraction, Iterator[int], dict[str, complex]])
def test_what_cannot_be_sent_cannot_be_declared(hint: Any) -> None:
    """At import, before any request."""
    with pytest.raises(SpecError, match="cannot be encoded"):
        _declared(hint)
