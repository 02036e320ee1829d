"""A bundle's config with anything in it: it is refused, or every page and answer of the box goes on being made."""

from __future__ import annotations

import asyncio
import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn.accuracy.bound import Bound
from edgefn.bundle import schemas
from edgefn.bundle.config import ArtifactEntry, BundleConfig, ModelEntry, Wheel
from edgefn.bundle.documents import parse_config
from edgefn.bundle.oci.descriptors import digest_of
from edgefn.codec.compatibility import breaks
from edgefn.errors import BundleError, EdgefnError
from edgefn.spec import Batching, FunctionSpec, ModelSpec, ParameterSpec, ResultSpec, SizeRange, TensorSpec
from edgefn.targets.needs import Needs
from edgefn_runtime.artifacts import capability
from edgefn_runtime.deployment.checks import compatibility
from edgefn_runtime.deployment.checks.maxima import Maxima
from edgefn_runtime.gateway.openapi.document import document
from tests.runtime.deployment import bundles
from tests.runtime.deployment.boxes import opened
from tests.runtime.deployment.bundles import SmallBundle

JSON = dict[str, Any]


def nested(levels: int) -> JSON:
    value: JSON = {}
    for _ in range(levels):
        value = {"items": value}
    return value


HOSTILE: dict[str, JSON] = {
    "types that are none": {"$defs": 5},
    "a type that is none": {"$defs": {"A": 3}, "$ref": "#/$defs/A"},
    "a choice that is none": {"anyOf": 5},
    "a choice of numbers": {"anyOf": [5]},
    "a list of flags": {"prefixItems": [True]},
    "members that are none": {"properties": {"a": 5}},
    "a reference that is none": {"$ref": 5},
    "a bound that is none": {"type": "number", "minimum": "x"},
    "a kind that is none": {"type": {"of": "none"}},
    "values that are lists": {"enum": [[]]},
    "no value": {"enum": []},
    "a value that is an object": {"const": {}},
    "tags that are none": {"discriminator": {"propertyName": "a", "mapping": {"a": 5}}},
    "levels": nested(500),
    "bytes": {"description": "x" * schemas.MAX_BYTES},
    "something below": {"items": {"additionalProperties": {"type": None}}},
}

SPEC = FunctionSpec(
    *("greet", "greet:greet"),
    concurrency=8,
    description="Greet.",
    parameters=(
        ParameterSpec(
            "x", "tensor", {"type": "array", "items": {"$ref": "#/$defs/A"}, "$defs": {"A": {"type": "null"}}}
        ),
        ParameterSpec("text", "value", {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}, False),
    ),
    result=ResultSpec("value", {"type": "object", "properties": {"a": {"type": "number", "minimum": 1}}}),
)
SHAPE = TensorSpec("float32", ("batch", 3), {"batch": SizeRange(1, 8)})
MODEL = ModelEntry(
    ModelSpec("linear", {"x": SHAPE}, {"y": TensorSpec("float32", ("batch", "2*batch"))}, {"batch": SizeRange(1, 8)}),
    bound=Bound(),
    batching=Batching(8),
    bounds={"int8": Bound(0.1)},
)
NATIVE = ArtifactEntry("linear", "x86-64-v3/fp32@openvino", "openvino", {"openvino": "1"}, Needs("x86_64", ("avx2",)))
WHOLE = BundleConfig(SPEC, (MODEL,), (bundles.PORTABLE, NATIVE), (Wheel("tiny", "1.0", "0" * 64, ("numpy>=1",)),))

WORDS = st.sampled_from([*schemas._CHECKS, "default", "other"])
NUMBERS = st.sampled_from([-1, 0, 1, 2**31, 2**64, 10**30, 10**4000, 1e300, 5e-324, -0.0])
TEXTS = st.sampled_from(
    ["", "a", "object", "#/$defs/a", "é", "\x1b[31m", "\u202e", "../..", "a\nb", "9**9**9", "x" * 300]
)
ANY = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(WORDS | TEXTS, below, max_size=3),
    max_leaves=8,
)


def serve(data: bytes) -> None:
    """What a box does with a config before and after it lets the bundle in. Raises EdgefnError where it is refused."""
    config = parse_config(data)
    Maxima(models=10**9).check(config)
    compatibility.check(config, compatibility.this_machine())
    function = config.function
    msgspec.json.encode(document([function, SPEC], "1"))
    msgspec.json.encode([*breaks(SPEC, function), *breaks(function, SPEC), *breaks(function, function)])
    list(capability.refusals(config.artifacts))


@settings(max_examples=150)
@given(schema=st.dictionaries(WORDS, ANY, max_size=4))
def test_any_schema_is_refused_or_documented_and_compared(schema: JSON) -> None:
    """Of a parameter and of a result: the document of all functions is made, and so is the next deployment."""
    function = msgspec.structs.replace(
        SPEC, parameters=(ParameterSpec("x", "value", schema),), result=ResultSpec("value", schema)
    )
    try:
        data = json.dumps(msgspec.to_builtins(BundleConfig(function))).encode()
        serve(data)
    except EdgefnError as error:
        json.dumps(error.as_problem())


@settings(max_examples=150)
@given(data=st.data())
def test_any_value_in_any_place_of_a_config_is_refused_or_served(data: st.DataObject) -> None:
    """Its own EdgefnError, and never one that nobody raised on purpose."""
    whole = json.loads(msgspec.json.encode(WHOLE))
    serve(json.dumps(whole).encode())
    path = data.draw(st.sampled_from(list(places(whole))))
    place = whole
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = data.draw(ANY)
    try:
        serve(json.dumps(whole).encode())
    except EdgefnError as error:
        json.dumps(error.as_problem())


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in inside:
        yield from places(below, (*path, step))


@pytest.mark.parametrize("schema", HOSTILE.values(), ids=HOSTILE)
def test_a_schema_that_is_none_is_refused(tmp_path: Path, schema: JSON) -> None:
    """It failed /openapi.json for all functions, and each later deployment of its own."""

    async def scenario() -> None:
        async with opened(tmp_path / "home") as box:
            good = bundles.function(tmp_path)
            await box.deploy(good)
            with pytest.raises(BundleError, match="schema"):
                await box.deploy(with_schema(good, schema), "greet")
            assert box.current("greet") == good.digest

    asyncio.run(scenario())


def with_schema(good: SmallBundle, schema: JSON) -> SmallBundle:
    """`good` with a parameter of that schema, written by hand."""
    config = json.loads(msgspec.json.encode(good.config))
    config["function"]["parameters"] = [{"name": "x", "kind": "value", "schema": schema}]
    encoded = json.dumps(config).encode()
    manifest = copy.deepcopy(json.loads(good.blobs[good.digest]))
    manifest["config"] |= {"digest": digest_of(encoded), "size": len(encoded)}
    rewritten = json.dumps(manifest).encode()
    blobs = good.blobs | {digest_of(encoded): encoded, digest_of(rewritten): rewritten}
    return SmallBundle(digest_of(rewritten), good.config, blobs, good.files)


def test_thousands_of_backends_that_there_are_not_hold_nobody_up() -> None:
    """Each was looked for in the metadata of all that is installed, at each look at the function: 40 ms."""
    entries = [ArtifactEntry("m", f"t{n}/fp32", f"backend{n}", needs=Needs()) for n in range(200)]
    started = time.process_time()
    assert len(capability.refusals(entries)) == len(entries)
    assert time.process_time() - started < 2.0
