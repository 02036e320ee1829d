"""What a new signature breaks for its predecessor's clients: told where it does, silent where it does not."""

from __future__ import annotations

import inspect
import time
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn import Dim, Image, InputError, edge_function, tensor
from edgefn.codec.compatibility import accepts, breaks
from edgefn.codec.json_schema import parameter_schema
from edgefn.codec.request.signature import Request, Signature
from edgefn.spec import FunctionSpec, ParameterSpec

EMPTY = inspect.Parameter.empty


class Reading(msgspec.Struct):
    t: float
    place: str = ""


class Wider(msgspec.Struct):
    t: float
    place: str = ""
    unit: str = "C"


class Narrower(msgspec.Struct):
    t: float
    unit: str
    place: str = ""


def made(hints: dict[str, Any], result: Any = None, **defaults: Any) -> FunctionSpec:
    """The spec of a function of these hints and defaults."""

    def f(**_: Any) -> None: ...

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name, EMPTY), annotation=hint)
        for name, hint in hints.items()
    ]
    f.__signature__ = inspect.Signature(parameters, return_annotation=result)  # type: ignore[attr-defined]
    return edge_function(f).spec


SMALL, LARGE = Annotated[int, msgspec.Meta(le=3)], Annotated[int, msgspec.Meta(le=9)]
SHORT = Annotated[np.ndarray, tensor("float32", Dim("n", max=8), 4)]
LONG = Annotated[np.ndarray, tensor("float32", Dim("n", max=16), 4)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (made({"t": int}), made({"t": int, "unit": str}, unit="C")),
        (made({"t": int, "s": str}, s=""), made({"t": int, "s": str, "unit": str}, s="", unit="C")),
        (made({"t": int}), made({"t": float})),
        (made({"t": int}), made({"t": int | None})),
        (made({"t": int}), made({"t": int}, t=3)),
        (made({"t": Literal["a"]}), made({"t": Literal["a", "b"]})),
        (made({"t": SMALL}), made({"t": LARGE})),
        (made({"t": SMALL}), made({"t": int})),
        (made({"r": Reading}), made({"r": Wider})),
        (made({"r": list[Reading]}), made({"r": list[Wider]})),
        (made({"r": Reading}), made({"r": Any})),
        (made({"r": Reading}), made({"r": dict[str, Any]})),
        (made({"x": SHORT}), made({"x": LONG})),
        (made({"i": Image}), made({"i": Image, "top": int}, top=5)),
        (made({"t": int}, float), made({"t": int}, int)),
        (made({"t": tuple[int, str]}), made({"t": tuple[float, str]})),
    ],
)
def test_what_takes_more_breaks_nothing(before: Any, after: Any) -> None:
    """Optional parameters, wider types, later defaults, narrower results."""
    assert breaks(before, after) == ()
    assert breaks(before, before) == ()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (made({"t": int, "unit": str}, unit="C"), made({"t": int}), "unit was removed"),
        (made({"t": int}), made({"t": int, "unit": str}), "unit is new and has no default"),
        (made({"t": int}, t=1), made({"t": int}), "t lost its default"),
        (made({"t": float}), made({"t": int}), "t accepts fewer values"),
        (made({"t": int | None}), made({"t": int}), "t accepts fewer values"),
        (made({"t": Literal["a", "b"]}), made({"t": Literal["a"]}), "t accepts fewer values"),
        (made({"t": LARGE}), made({"t": SMALL}), "t accepts fewer values"),
        (made({"r": Wider}), made({"r": Reading}), "r accepts fewer values"),
        (made({"r": Reading}), made({"r": Narrower}), "r accepts fewer values"),
        (made({"x": LONG}), made({"x": SHORT}), "x accepts fewer values"),
        (made({"i": Image}), made({"i": bytes}), "i changed from the kind image to the kind bytes"),
        (made({"t": int}, t=1), made({"t": int}, t=2), "the default of t changed from 1 to 2"),
        (made({"t": int}, int), made({"t": int}, float), "the type of the result changed"),
        (made({"t": int}, t=1), made({"t": int, "u": int}, t=1, u=1), "a body that is the value of t alone is refused"),
        (made({"d": dict[str, int]}), made({"d": dict[str, int], "u": int}, u=1), "an object with a member d or u"),
        (made({"t": Reading}), made({"t": Reading, "u": int}, u=1), "an object with a member t is now read as the"),
        (
            made({"k": int, "r": Reading | None}, r=None),
            made({"k": int, "r": Reading | None, "u": int}, r=None, u=1),
            "a body that is the value of r alone, with the others in the query, is refused",
        ),
        (
            made({"k": int, "i": Image | None}, i=None),
            made({"k": int, "i": Image | None, "j": Image | None}, i=None, j=None),
            "a body that is the value of i alone, with the others in the query, is refused",
        ),
    ],
)
def test_what_takes_less_is_told(before: Any, after: Any, words: str) -> None:
    """Each kind of break, in a sentence that names the parameter."""
    told = breaks(before, after)
    assert any(words in one for one in told), told


KINDS = [
    *(int, float, str, bool, int | None, float | None, list[int], list[float], tuple[int, int], tuple[float, int]),
    *(Reading, Wider, Narrower, dict[str, int], dict[str, float], Literal["a"], Literal["a", "b"], SMALL, LARGE),
]
PLAIN = [1, 7, 0.5, "a", "b", True, None, [1], [0.5], [1, 2], [0.5, 1]]
OBJECTS = [{"t": 1}, {"t": 1, "unit": "K"}, {"a": 1}, {"a": 0.5}]


@given(st.sampled_from(KINDS), st.sampled_from(KINDS), st.sampled_from([*PLAIN, *OBJECTS]))
@settings(max_examples=400, deadline=None)
def test_what_is_said_to_be_taken_is_taken(old: Any, new: Any, value: Any) -> None:
    """Where the new schema accepts the old one, each value that the old parameter reads the new one reads, too."""
    if not accepts(parameter_schema(new), parameter_schema(old)):
        return
    body = msgspec.json.encode({"p": value})

    def read(hint: Any) -> bool:
        def f(p: Any, q: int = 0) -> None: ...

        f.__annotations__ = {"p": hint, "q": int, "return": None}
        try:
            Signature.of(f).decode(Request("application/json", body))
        except InputError:
            return False
        return True

    assert read(new) or not read(old)


def test_large_choices_are_compared_in_no_time() -> None:
    """Each of thousands of types was held against thousands of others: 45 s in which a box served nobody."""
    old = {"anyOf": [{"type": "array", "minItems": 5 + count} for count in range(3000)]}
    new = {"anyOf": [*({"type": "string", "minLength": count} for count in range(3000)), {"type": "array"}]}
    before, after = (FunctionSpec("f", "f:f", parameters=(ParameterSpec("x", "value", one),)) for one in (old, new))
    started = time.process_time()
    assert "x accepts fewer values than before" in "".join(breaks(before, after))
    assert breaks(before, before) == ()
    assert time.process_time() - started < 2.0
