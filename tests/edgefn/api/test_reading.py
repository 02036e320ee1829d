"""A command and a box of different versions: what one does not know of the other breaks nothing."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from edgefn.api import routes
from edgefn.api.deployments import DeployedEvent, DeploymentEvent, read_event
from edgefn.api.functions import FunctionStatus
from edgefn.api.specs import DeployedSpec
from edgefn.spec import FunctionSpec

ANSWERS = sorted({route.answer for route in routes.ROUTES if isinstance(route.answer, type)} - {str}, key=str)


def _structs(kind: Any, seen: set[Any]) -> set[Any]:
    """Return the structs in `kind`, itself too."""
    if kind in seen:
        return seen
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        seen.add(kind)
        for field in msgspec.structs.fields(kind):
            _structs(field.type, seen)
    for inner in get_args(kind):
        _structs(inner, seen)
    return seen


READ = sorted({struct for kind in (*ANSWERS, DeploymentEvent) for struct in _structs(kind, set())}, key=str)


@pytest.mark.parametrize("kind", READ, ids=lambda kind: kind.__name__)
def test_no_answer_refuses_what_it_does_not_know(kind: type[msgspec.Struct]) -> None:
    """A newer box may tell more, wherever in its answer."""
    assert not kind.__struct_config__.forbid_unknown_fields


def test_a_newer_box_may_have_new_states_kinds_and_members() -> None:
    """Of the function's spec too, which a bundle's reader refuses."""
    spec = {"name": "f", "optimize": "energy", "parameters": [{"name": "x", "kind": "audio", "new": 1}], "new": 1}
    told = {"name": "f", "state": "dreaming", "number": 1, "revision": "sha256:12", "spec": spec, "callers": "kin"}
    status = msgspec.convert(told | {"new": {"a": 1}}, FunctionStatus)
    assert (status.state, status.callers) == ("dreaming", "kin")
    assert status.spec is not None
    assert (status.spec.optimize, status.spec.memory_bytes) == ("energy", 512 * 2**20)


def test_an_event_of_a_new_kind_is_passed_over() -> None:
    """Each known one is read as what it is, with members that are new."""
    assert read_event('{"event": "thought", "text": "x"}') is None
    line = '{"event": "deployed", "function": "f", "revision": "r", "number": 2, "new": 1}'
    assert read_event(line) == DeployedEvent("f", "r", 2)
    with pytest.raises(msgspec.DecodeError):
        read_event("[]")


def test_a_specs_members_are_the_specs_own() -> None:
    """The spec that a box tells has the members of the spec in the bundle, each with the same JSON."""
    spec = FunctionSpec("f", "f:f", scale=(1, 2), devices=("/dev/null",))
    told = msgspec.convert(msgspec.to_builtins(spec), DeployedSpec)
    assert json.loads(msgspec.json.encode(told)) == json.loads(msgspec.json.encode(spec))
