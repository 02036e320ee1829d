"""JSON Schemas: complete in themselves, and true of what is accepted."""

from __future__ import annotations

import base64
import dataclasses
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import pytest

from edgefn import Image, tensor
from edgefn.codec.json_schema import parameter_schema, result_schema, tensor_schema
from edgefn.codec.request.signature import Signature
from edgefn.codec.tensors import DTYPES


class Leaf(msgspec.Struct):
    name: str
    size: Annotated[int, msgspec.Meta(ge=0)] = 0


class Tree(msgspec.Struct):
    leaf: Leaf
    branches: list[Tree] = []


class Cat(msgspec.Struct, tag=True):
    discriminator: str


class Dog(msgspec.Struct, tag=True):
    mapping: str


@dataclasses.dataclass
class Album:
    cover: Image
    mode: Literal["a", "b"]


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in _references(value)]
    return [found for item in node for found in _references(item)] if isinstance(node, list) else []


@pytest.mark.parametrize("hint", [Leaf, Tree, list[Tree], Cat | Dog, Album, dict[str, Leaf], Leaf | None, Any, int])
def test_schemas_are_complete_in_themselves(hint: Any) -> None:
    """No reference is left, so a schema stands in any document; recursion ends in the type's kind."""
    for schema in (parameter_schema(hint), result_schema(hint)):
        assert _references(schema) == []
        assert msgspec.json.decode(msgspec.json.encode(schema)) == schema


def test_members_are_kept() -> None:
    """Limits, literals, images, recursion, and members called as JSON Schema's own words."""
    tree = parameter_schema(Tree)["properties"]
    assert tree["leaf"]["properties"]["size"] == {"type": "integer", "minimum": 0, "default": 0}
    assert tree["branches"]["items"] == {"type": "object", "title": "Tree"}
    album = parameter_schema(Album)["properties"]
    assert album["mode"] == {"enum": ["a", "b"]}
    assert album["cover"]["contentMediaType"] == "image/*"
    cat, dog = parameter_schema(Cat | Dog)["anyOf"]
    assert "discriminator" in cat["properties"]
    assert "mapping" in dog["properties"]


def test_a_struct_in_a_request_has_no_other_members() -> None:
    """Nor has one in it; a result may have more, and a dict has any."""
    schema = parameter_schema(dict[str, Tree])
    assert schema["additionalProperties"]["additionalProperties"] is False
    assert schema["additionalProperties"]["properties"]["leaf"]["additionalProperties"] is False
    assert "additionalProperties" not in result_schema(Leaf)


def test_an_images_example_is_an_image() -> None:
    """Who sends the example gets an answer."""
    assert Image(base64.b64decode(parameter_schema(Image)["examples"][0])).pil().size == (1, 1)


def test_a_tensor_is_nested_arrays() -> None:
    """Fixed dimensions have their length, symbolic ones any; the whole is described as the errors do."""
    assert tensor_schema(tensor("int8", "n", 2)) == {
        "type": "array",
        "items": {
            "type": "array",
            "items": {"type": "integer", "minimum": -128, "maximum": 127},
            "minItems": 2,
            "maxItems": 2,
        },
        "description": "int8[n, 2]",
    }
    assert tensor_schema(tensor("bool")) == {"type": "boolean", "description": "bool[]"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_elements_limits_are_its_dtypes(dtype: str) -> None:
    """NumPy agrees; float64 has all of JSON's numbers."""
    schema = tensor_schema(tensor(dtype))  # type: ignore[arg-type]
    if dtype in ("bool", "float64"):
        assert schema.keys() == {"type", "description"}
        return
    info: Any = np.finfo(dtype) if dtype.startswith("float") else np.iinfo(dtype)
    assert (schema["minimum"], schema["maximum"]) == (info.min, info.max)


def test_defaults_are_shown_where_json_can_show_them() -> None:
    """A struct as its members; an image's default, which has none, is left out."""

    def handler(a: int = 3, leaf: Leaf = Leaf("x"), image: Image | None = None) -> None: ...  # noqa: B008

    handler.__annotations__ = {"a": int, "leaf": Leaf, "image": Image | None, "return": None}
    a, leaf, image = Signature.of(handler).parameters
    assert a.schema == {"type": "integer", "default": 3}
    assert leaf.schema["default"] == {"name": "x", "size": 0}
    assert "default" not in image.schema
    assert [a.required, leaf.required, image.required] == [False] * 3


@pytest.mark.parametrize("hint", [object(), threading_local := type("Local", (), {}), list[type], np.ndarray])
def test_types_that_cannot_be_read_are_named(hint: Any) -> None:
    """A TypeError of one line, which becomes the SpecError's reason."""
    with pytest.raises(TypeError) as refused:
        parameter_schema(hint)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (np.float32, {"type": "number"}),
        (np.int64, {"type": "integer"}),
        (np.bool_, {"type": "boolean"}),
        (np.ndarray, {"type": "array"}),
        (dict[str, object], {"type": "object", "additionalProperties": {"description": "any value"}}),
    ],
)
def test_results_may_hold_what_requests_may_not(hint: Any, schema: dict[str, Any]) -> None:
    """NumPy's scalars and arrays are written, though not read without a tensor(...)."""
    assert result_schema(hint) == schema
