"""The box's OpenAPI document."""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
import pytest
from openapi_spec_validator import validate
from starlette.routing import BaseRoute, Mount, Route

from edgefn import Image, tensor
from edgefn.codec.json_schema import parameter_schema
from edgefn.codec.request.signature import Signature
from edgefn.spec import FunctionSpec, ParameterSpec, ResultSpec
from edgefn_runtime.gateway.app import site
from edgefn_runtime.gateway.openapi.components import Components
from edgefn_runtime.gateway.openapi.document import document
from edgefn_runtime.gateway.openapi.operations import DocumentedFunction
from edgefn_runtime.gateway.origins.hosts import Hosts
from tests.runtime.gateway.typed import connected, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.runtime.gateway.conftest import Ask, FakeBox


@dataclass
class Label:
    name: str
    score: float


Array = np.ndarray[Any, np.dtype[Any]]
Rows = Annotated[Array, tensor("float32", "n", 4)]


def classify(image: Image) -> list[Label]:
    """What is in the picture.

    The five likeliest labels, best first.
    """
    raise NotImplementedError


def resize(image: Image, width: int, mode: Literal["fast", "good"] = "good") -> Image:
    raise NotImplementedError


def scale(x: Rows) -> Rows:
    raise NotImplementedError


def hash_of(data: bytes) -> bytes:
    raise NotImplementedError


def upper(text: str) -> str:
    raise NotImplementedError


def echo(n: int) -> dict[str, int]:
    raise NotImplementedError


def store(label: Label) -> None:
    raise NotImplementedError


def ping() -> str:
    raise NotImplementedError


def blend(a: Image, b: Image, share: float = 0.5) -> Image:
    raise NotImplementedError


def collect(images: list[Image], names: list[str] = []) -> int:  # noqa: B006
    raise NotImplementedError


def add(numbers: list[int]) -> tuple[int, str]:
    raise NotImplementedError


HANDLERS: list[Callable[..., Any]] = [
    *(classify, resize, scale, hash_of, upper, echo, store, ping, blend, collect, add),
]


def spec_of(handler: Callable[..., Any]) -> FunctionSpec:
    signature = Signature.of(handler)
    return FunctionSpec(
        handler.__name__,
        "module:handler",
        parameters=signature.parameters,
        result=signature.result,
        description=handler.__doc__ or "",
    )


def post_of(handler: Callable[..., Any]) -> dict[str, Any]:
    post: dict[str, Any] = document([spec_of(handler)], "1")["paths"][f"/fn/{handler.__name__}"]["post"]
    return post


def test_the_document_is_valid() -> None:
    """OpenAPI 3.1, for every kind of parameter and result; an empty box has a document too."""
    validate(document(map(spec_of, HANDLERS), "0.1.0"))
    validate(document([], "0.1.0"))


@pytest.mark.parametrize(
    ("handler", "media"),
    [
        (classify, {"image/*", "application/octet-stream", "application/json", "multipart/form-data"}),
        (scale, {"application/x-npy", "application/octet-stream", "application/json", "application/msgpack"}),
        (hash_of, {"application/octet-stream", "application/json", "multipart/form-data"}),
        (upper, {"text/plain", "application/json"}),
        (echo, {"application/json", "application/x-www-form-urlencoded", "multipart/form-data"}),
        (store, {"application/json", "application/msgpack"}),
        (resize, {"image/*", "multipart/form-data", "application/json"}),
    ],
)
def test_a_body_is_what_the_type_hints_take(handler: Callable[..., Any], media: set[str]) -> None:
    """Each parameter's kind has its media types."""
    assert media <= post_of(handler)["requestBody"]["content"].keys()


@pytest.mark.parametrize(
    ("handler", "media"),
    [
        (classify, ["application/json", "application/msgpack"]),
        (resize, ["image/png", "image/jpeg", "image/webp"]),
        (scale, ["application/json", "application/msgpack", "application/x-npy", "application/octet-stream"]),
        (hash_of, ["application/octet-stream", "application/json", "application/msgpack"]),
        (upper, ["application/json", "text/plain", "application/msgpack"]),
        (store, ["application/json", "application/msgpack"]),
    ],
)
def test_an_answer_is_what_the_result_can_become(handler: Callable[..., Any], media: list[str]) -> None:
    """The first one is what comes when Accept says nothing."""
    assert list(post_of(handler)["responses"]["200"]["content"]) == media


def test_every_refusal_is_documented() -> None:
    """A client's author sees what to be ready for, and that Retry-After comes with it."""
    built = document([spec_of(echo)], "1")
    responses = built["paths"]["/fn/echo"]["post"]["responses"]
    assert {"200", "400", "405", "406", "413", "429", "500", "502", "503", "504"} <= responses.keys()
    problems = built["components"]["responses"]
    assert [status for status in responses if status != "200" and "Retry-After" in _headers(problems[status])] == [
        *("429", "503"),
    ]
    assert "Allow" in _headers(problems["405"])


def _headers(problem: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = problem["headers"]
    return found


REFUSED_HEADS = {
    "400": ("GET {} HTTP/1.1", "host: box", "host: box"),
    "403": ("GET {} HTTP/1.1", "host: box", "origin: https://attacker.example"),
    "414": ("GET {}?" + "a" * 20_000 + " HTTP/1.1", "host: box"),
    "421": ("GET {} HTTP/1.1", "host: attacker.example"),
    "431": ("GET {} HTTP/1.1", "host: box", *["a: b"] * 200),
}


@pytest.mark.parametrize("status", REFUSED_HEADS)
def test_what_any_request_may_be_refused_with_is_documented(status: str) -> None:
    """A generated client knows each answer that the box gives by a request's head, at a function and at a page."""
    built = document([DocumentedFunction(spec_of(classify))], "1.0")
    assert status in built["components"]["responses"]

    async def main() -> None:
        for path, item in built["paths"].items():
            head = "\r\n".join([*REFUSED_HEADS[status], "", ""]).format(path).encode()
            ((found, _, _),) = await typed(connected(hosts=Hosts(["box"])), [head])
            assert str(found) == status
            operations = [item[method] for method in ("get", "post", "put", "delete") if method in item]
            assert all(status in one["responses"] for one in operations)

    asyncio.run(main())


def test_the_callers_bound_is_documented() -> None:
    """Each function's operations take X-Request-Timeout, with what it may be."""
    built = document(map(spec_of, HANDLERS), "1")
    bound = {"$ref": "#/components/parameters/X-Request-Timeout"}
    assert all(bound in item["parameters"] for path, item in built["paths"].items() if path.startswith("/fn/"))
    assert built["components"]["parameters"]["X-Request-Timeout"]["in"] == "header"


def test_a_scalar_beside_what_is_the_body_stands_in_the_query_alone() -> None:
    """An object and a form have only what is left, so that generators make one argument of each parameter."""
    post = post_of(resize)
    assert [(one["name"], one["required"]) for one in post["parameters"]] == [("width", True), ("mode", False)]
    for media in ("application/json", "multipart/form-data"):
        schema = post["requestBody"]["content"][media]["schema"]
        assert (schema["required"], list(schema["properties"])) == (["image"], ["image"])


def test_several_that_need_the_body_are_an_object_with_all() -> None:
    """Nothing can be the whole body, so nothing is in the query; required are those without a default."""
    post = post_of(blend)
    assert "parameters" not in post
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert (schema["required"], list(schema["properties"])) == (["a", "b"], ["a", "b", "share"])
    assert "image/*" not in post["requestBody"]["content"]


def test_no_parameter_stands_in_two_places() -> None:
    """Whatever the function: what is in the query of a POST is in no body of it."""
    for handler in HANDLERS:
        post = post_of(handler)
        query = {one["name"] for one in post.get("parameters", ())}
        for content in post.get("requestBody", {"content": {}})["content"].values():
            assert not query & content["schema"].get("properties", {}).keys(), handler


def test_files_are_binary_and_lists_are_fields() -> None:
    """Generators look for `format: binary`; a list is a field for each item, with its encoding."""
    content = post_of(collect)["requestBody"]["content"]
    multipart = content["multipart/form-data"]
    binary = {"type": "string", "format": "binary"}
    assert multipart["schema"]["properties"] == {
        "images": {"minItems": 1, "type": "array", "items": binary | {"contentMediaType": "image/*"}},
        "names": {"minItems": 1, "type": "array", "items": {"type": "string"}, "default": []},
    }
    assert multipart["encoding"] == {"images": {"contentType": "image/*"}, "names": {"contentType": "text/plain"}}
    form = post_of(add)["requestBody"]["content"]["application/x-www-form-urlencoded"]
    assert form["encoding"] == {"numbers": {"style": "form", "explode": True}}
    image = post_of(classify)["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]["image"]
    assert image == binary | {"contentMediaType": "image/*"}


def test_get_is_for_what_a_query_can_carry() -> None:
    """A function of scalars and text can be called from the address bar, one of images cannot."""
    paths = document(map(spec_of, HANDLERS), "1")["paths"]
    assert {name for name in paths if name.startswith("/fn/") and "get" in paths[name]} == {
        "/fn/echo",
        "/fn/upper",
        "/fn/ping",
    }
    assert paths["/fn/echo"]["get"]["parameters"][0]["required"]
    assert "requestBody" not in paths["/fn/ping"]["post"]


def test_the_docstring_is_the_description() -> None:
    """Its first line sums it up."""
    post = post_of(classify)
    assert post["summary"] == "What is in the picture."
    assert post["description"] == "The five likeliest labels, best first."


class Node(msgspec.Struct, tag=True):
    value: int
    next: Node | None = None


class Leaf(msgspec.Struct, tag=True):
    value: str


def test_definitions_are_hoisted_to_components() -> None:
    """`$defs`, references to them and discriminators end up in components; what is a user's data stays as it is."""
    schema = msgspec.json.schema(list[Node | Leaf]) | {"default": ["#/$defs/Node"]}
    spec = FunctionSpec("walk", "m:f", parameters=(ParameterSpec("nodes", "value", schema),))
    built = document([spec], "1")
    validate(built)
    assert {"walk.Node", "walk.Leaf"} <= built["components"]["schemas"].keys()
    hoisted = built["paths"]["/fn/walk"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "$defs" not in hoisted
    assert hoisted["default"] == ["#/$defs/Node"]
    assert set(hoisted["items"]["discriminator"]["mapping"].values()) == {
        "#/components/schemas/walk.Node",
        "#/components/schemas/walk.Leaf",
    }
    assert "$defs" not in str(built["components"])


def test_definitions_of_one_name_do_not_mix() -> None:
    """Two types called Label, of one function or of two, each keep their own schema; the same one is kept once."""
    one = {"$ref": "#/$defs/Label", "$defs": {"Label": {"type": "integer"}}}
    other = {"$ref": "#/$defs/Label", "$defs": {"Label": {"type": "string"}}}
    components = Components()
    assert components.hoist(one, "f") == {"$ref": "#/components/schemas/f.Label"}
    assert components.hoist(other, "f") == {"$ref": "#/components/schemas/f.Label.2"}
    assert components.hoist(one, "f") == {"$ref": "#/components/schemas/f.Label"}
    assert components.hoist(other, "g") == {"$ref": "#/components/schemas/g.Label"}
    assert components.schemas == {
        "f.Label": {"type": "integer"},
        "f.Label.2": {"type": "string"},
        "g.Label": {"type": "string"},
    }


def schemas_in(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from schemas_in(below)


class Tree(msgspec.Struct):
    name: str
    leaves: list[Tree] = []


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (tuple[int, int], {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1], {"anyOf": [{"type": "integer", "enum": [1]}, {"type": "string", "enum": ["a"]}]}),
        (Literal["a"] | None, {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]}),
    ],
)
def test_schemas_are_in_words_that_generators_know(hint: Any, schema: dict[str, Any]) -> None:
    """Enums have a type, and tuples the type of their items."""
    assert Components().hoist(parameter_schema(hint), "f") == schema


def test_a_tuple_of_different_items_keeps_their_order() -> None:
    """`items` is what there may be at all; nowhere is it false."""
    hoisted = Components().hoist(parameter_schema(tuple[int, str, int]), "f")
    assert [item["type"] for item in hoisted["prefixItems"]] == ["integer", "string", "integer"]
    assert hoisted["items"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    built = document(map(spec_of, HANDLERS), "1")
    assert not [schema for schema in schemas_in(built) if schema.get("items") is False]


def test_types_with_a_name_are_components() -> None:
    """Structs, dataclasses and enums, once each, and a type inside itself leads to itself."""
    components = Components()
    tree = parameter_schema(Tree)
    assert components.hoist(tree, "f") == {"$ref": "#/components/schemas/f.Tree"}
    assert components.hoist(parameter_schema(list[Tree]), "f")["items"] == {"$ref": "#/components/schemas/f.Tree"}
    assert components.schemas["f.Tree"]["properties"]["leaves"]["items"] == {"$ref": "#/components/schemas/f.Tree"}
    default = components.hoist(parameter_schema(Colour) | {"default": "red"}, "f")
    assert default == {"$ref": "#/components/schemas/f.Colour", "default": "red"}
    assert components.schemas.keys() == {"f.Tree", "f.Colour"}


def test_none_is_an_empty_schema() -> None:
    """Generators have no type for null."""
    assert "type" not in post_of(store)["responses"]["200"]["content"]["application/json"]["schema"]


def test_a_function_tells_of_itself_by_readme_and_revision() -> None:
    """A tag for each function: its README's first paragraph, else its docstring's line, and which revision serves."""
    echoed = msgspec.structs.replace(spec_of(echo), readme="Counts one further.")
    digest = "sha256:" + "a" * 64
    built = document([DocumentedFunction(echoed, 3, digest), spec_of(classify)], "1")
    assert built["tags"][0] == {"name": "echo", "description": f"Counts one further.\n\nRevision 3, {digest[:19]}."}
    assert built["tags"][1] == {"name": "classify", "description": "What is in the picture."}
    assert built["paths"]["/fn/echo"]["x-revision"] == {"number": 3, "digest": digest}
    assert built["paths"]["/fn/echo"]["post"]["tags"] == ["echo"]


def test_every_route_is_documented(box: FakeBox) -> None:
    """The fixed part of the document and the routes of the app name the same paths and methods."""
    documented = {
        (method.upper(), path)
        for path, item in document([], "1")["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert documented == set(_routes(site(box).routes))  # type: ignore[attr-defined]


def _routes(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Mount):
            yield from _routes(route.app._app.routes, prefix + route.path)  # type: ignore[attr-defined]
        elif isinstance(route, Route):
            yield from ((method, prefix + route.path) for method in (route.methods or ()) if method != "HEAD")


def test_the_box_serves_its_document(ask: Ask, box: FakeBox) -> None:
    """GET /openapi.json is the document of what is deployed."""
    box.have(FunctionSpec("digits", "m:f", result=ResultSpec("value", {"type": "integer"})))
    served = ask("GET", "/openapi.json", headers={}).json()
    validate(served)
    assert {"/fn/echo", "/fn/digits"} <= served["paths"].keys()
