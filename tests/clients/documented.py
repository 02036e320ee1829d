"""A client that follows /openapi.json and knows nothing else: it makes the requests that the document allows.

It reads one path item, with the components that it refers to. Arguments come as `Value`: in JSON, as the texts of
fields, and as bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from jsonschema import Draft202012Validator

from edgefn.codec.request.signature import Request
from tests.clients.calls import Call, File, encoded

Json = dict[str, Any]
TEXTS = ("text/plain", "")


class Value(NamedTuple):
    """An argument: in JSON, as a handler gets it, as texts of fields, as files, and in msgpack."""

    json: Any
    expected: Any
    texts: list[str]
    files: list[bytes]
    msgpack: Any


class Sent(NamedTuple):
    """A request, with the content type's documented name and the arguments that it holds."""

    request: Request
    media: str
    holds: frozenset[str]


class DocumentedClient:
    """The client of one function."""

    def __init__(self, item: Json, components: Mapping[str, Json]) -> None:
        self._item = item
        self._components = components
        self._allowed = True

    def requests(self, given: Mapping[str, Value], *, allowed: bool = True) -> Iterator[Sent]:
        """Make each request that the document has for arguments; JSON is held against its schema where `allowed`."""
        self._allowed = allowed
        post = self._item["post"]
        for media, content in post.get("requestBody", {"content": {}})["content"].items():
            yield from self._by_body(media, content, given)
        if "requestBody" not in post:
            yield Sent(Request("", b"", self._query(post, given)), "", frozenset())
        if "get" in self._item and self.names(self._item["get"]) >= given.keys():
            yield Sent(Request("", b"", self._query(self._item["get"], given)), "GET", frozenset(given))

    def names(self, operation: Json) -> set[str]:
        """The parameters in an operation's query."""
        return {one["name"] for one in operation.get("parameters", ())}

    def properties(self, media: str) -> set[str]:
        """The members of the body's object or form; none where it is a value itself."""
        schema = self._item["post"]["requestBody"]["content"][media].get("schema", {})
        return set(schema.get("properties", {}))

    def _required(self, media: str) -> set[str]:
        content = self._item["post"]["requestBody"]["content"]
        return set(
            content["application/json" if media == "application/msgpack" else media]["schema"].get("required", ())
        )

    def _whole(self) -> set[str]:
        """The parameter that a raw body is: what an object in its place must have."""
        return self._required("application/json")

    def schema(self, media: str) -> Json:
        """The body's schema with all that it refers to."""
        schema: Json = self._item["post"]["requestBody"]["content"][media]["schema"]
        return schema | {"components": {"schemas": self._components}}

    def allows(self, media: str, instance: Any) -> bool:
        """Whether the body's schema allows `instance`."""
        return bool(Draft202012Validator(self.schema(media)).is_valid(instance))

    def _query(self, operation: Json, given: Mapping[str, Value]) -> str:
        names = self.names(operation)
        return urlencode([(name, text) for name, value in given.items() if name in names for text in value.texts])

    def _by_body(self, media: str, content: Json, given: Mapping[str, Value]) -> Iterator[Sent]:
        post = self._item["post"]
        query = self._query(post, given)
        inside = {name: value for name, value in given.items() if name not in self.names(post)}
        if not inside and not post["requestBody"]["required"]:
            yield Sent(Request("", b"", query), "", frozenset())
        if self._allowed and not self._required(media) <= inside.keys():
            return
        schema = content["schema"]
        keyed = "properties" in schema
        if "properties" in schema:
            assert self.names(post) | schema["properties"].keys() >= given.keys(), "a parameter stands nowhere"
            assert not self.names(post) & schema["properties"].keys(), "a parameter stands in two places"
        for kind, body in self._bodies(media, content, inside, keyed=keyed):
            yield Sent(Request(kind, body, query), media, frozenset(inside))

    def _bodies(
        self, media: str, content: Json, inside: Mapping[str, Value], *, keyed: bool
    ) -> Iterator[tuple[str, bytes]]:
        match media:
            case "application/json" | "application/msgpack":
                if keyed or len(inside) == 1:
                    yield media, self._structured(media, inside, keyed=keyed)
            case "application/x-www-form-urlencoded":
                pairs = [(name, text) for name, value in inside.items() for text in value.texts]
                yield media, urlencode(pairs).encode()
            case "multipart/form-data":
                fields = [field for name, value in inside.items() for field in self._fields(name, value, content)]
                kind, body = encoded(Call("f", multipart=fields))
                yield kind or "", body or b""
            case "text/plain":
                if len(inside) == 1 and len(text := next(iter(inside.values())).texts[0]) >= content["schema"].get(
                    "minLength", 0
                ):
                    yield media, text.encode()
            case _:
                if inside.keys() == self._whole():
                    yield media.replace("*", "png"), next(iter(inside.values())).files[0]

    def _structured(self, media: str, inside: Mapping[str, Value], *, keyed: bool) -> bytes:
        instance = {name: value.json for name, value in inside.items()}
        whole = instance if keyed else next(iter(instance.values()))
        assert self.allows("application/json", whole) or not self._allowed, (whole, self.schema("application/json"))
        if media == "application/json":
            return json.dumps(whole).encode()
        packed = {name: value.msgpack for name, value in inside.items()}
        return msgspec.msgpack.encode(packed if keyed else next(iter(packed.values())))

    def _fields(self, name: str, value: Value, content: Json) -> Iterator[File]:
        media = content.get("encoding", {}).get(name, {}).get("contentType", "")
        schema = content["schema"]["properties"][name]
        item = schema.get("items", schema)
        if item.get("format") == "binary":
            yield from (File(name, data, "file", media.replace("*", "png")) for data in value.files)
        elif media == "application/json":
            yield File(name, json.dumps(value.json).encode(), None, media)
        else:
            yield from (File(name, text.encode(), None, media or None) for text in value.texts)
