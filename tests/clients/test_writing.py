"""What a client means is what a handler gets, in whatever way and spelling the client writes it."""

from __future__ import annotations

import inspect
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgefn.codec.request.signature import Signature
from tests.clients.arguments import KINDS, Reading, expected, handler_of, plain
from tests.clients.odd_arguments import ODD_KINDS, Outer, Settings, same
from tests.clients.writing import Meant

NAMES = ("image", "k", "größe", "data", "at_2", "submit", "shape", "room", "tags", "name")
MEMBERS = {Reading: "room", Outer: "tags", Settings: "name"}
"""A name of each that an object is not read by: it may be a member."""


@st.composite
def functions(draw: st.DrawFn) -> tuple[Signature, Meant]:
    """A handler of 1 to 4 parameters of any kind, and arguments for it."""
    parameters, kinds, values = [], {}, {}
    for name in draw(st.permutations(NAMES))[: draw(st.integers(1, 4))]:
        kind = draw(st.sampled_from([kind for kind in (*KINDS, *ODD_KINDS) if MEMBERS.get(kind.hint) != name]))
        default = draw(st.sampled_from([inspect.Parameter.empty, None]))
        hint = kind.hint if default is not None else kind.hint | None
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint))
        kinds[name] = kind.hint
        if default is not None or draw(st.booleans()):
            values[name] = draw(kind.values)

    required = frozenset(one.name for one in parameters if one.default is not None)
    return Signature.of(handler_of(parameters)), Meant(kinds, required, values, Random(draw(st.integers(0, 2**32))))


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(functions())
def test_what_is_meant_is_what_comes(function: tuple[Signature, Meant]) -> None:
    """By name, bare, in forms, parts, queries and as files: escaped names, base64 of any kind, JSON under any type."""
    signature, meant = function
    for way, request in meant.requests():
        got = signature.decode(request)
        assert got.keys() == meant.given.keys(), (way, request)
        for name, value in meant.given.items():
            is_meant = same(got[name], value.expected) or (
                same(plain(got[name]), expected(value.expected, meant.kinds[name]))
            )
            assert is_meant, (way, request)
