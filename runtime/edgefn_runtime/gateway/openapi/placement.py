"""Where each parameter of a function stands in the OpenAPI document: in the query, or in the body; never in both.

`edgefn.codec.request.signature` reads more than is documented. The document has one place for each parameter, because
generators make two arguments of two places:

- Images, tensors and bytes stand in the body. Where one of them can be the whole body, all scalars and texts are
  query parameters, and an object or form has only what is left.
- In every other function, all parameters are members of one object or fields of one form. A lone structure is the
  JSON body itself.

GET takes scalars and texts in the query, where nothing else is required.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgefn.codec.media_types import OCTETS
from edgefn.spec import ParameterSpec
from edgefn_runtime.gateway.openapi.components import Components
from edgefn_runtime.gateway.openapi.dialect import Schema, without_null

_SCALARS = frozenset({"integer", "number", "boolean", "string", "null"})
_RAW = frozenset({"image", "tensor", "bytes"})


class DocumentedParameter:
    """A parameter with its schema in the document.

    light      one word or text: a query string can carry it
    texts      a list of such: a form has a field for each item
    files      the content type of each item of a list of images or bytes, else ""
    raw        a body can be its bytes: an image, a tensor, bytes
    structure  only JSON and msgpack can hold it: structs, dicts, lists of them
    """

    def __init__(self, spec: ParameterSpec, schema: Schema) -> None:
        self.name, self.kind, self.required = spec.name, spec.kind, spec.required
        self.schema = schema
        self.light = spec.kind == "text" or (spec.kind == "value" and is_scalar(spec.schema))
        items = _items(spec)
        self.files = "" if items is None else _file_type(items)
        self.texts = items is not None and not self.files and is_scalar(items)
        self.raw = spec.kind in _RAW
        self.structure = spec.kind == "value" and not (self.light or self.texts or self.files)

    def in_query(self, *, required: bool) -> Schema:
        """Return it as an OpenAPI query parameter."""
        return {"name": self.name, "in": "query", "required": required, "schema": without_null(self.schema)}


class Placement:
    """The places of one function's parameters.

    whole  the parameter that a body can be: a file's bytes, or a lone text; None where there is none
    bare   the lone structure that a JSON body is; None where JSON is an object keyed by name
    query  the parameters in the query of a POST
    body   the parameters in its body
    may_be_empty  an empty body, or none, is the value of a lone text or bytes
    """

    def __init__(self, parameters: Iterable[ParameterSpec], components: Components, scope: str) -> None:
        self.all = tuple(DocumentedParameter(p, components.hoist(p.schema, scope)) for p in parameters)
        lone = self.all[0] if len(self.all) == 1 else None
        self.bare = lone if lone is not None and lone.structure else None
        self.whole = lone if lone is not None and lone.kind == "text" else self._file()
        self.query = tuple(p for p in self.all if self.whole is not None and p.light and p is not self.whole)
        self.body = tuple(p for p in self.all if p not in self.query)
        self.may_be_empty = lone is not None and lone.kind in ("bytes", "text")

    def _file(self) -> DocumentedParameter | None:
        """Return the parameter whose bytes a body can be: a text would compete with one that may be missing."""
        heavy = [p for p in self.all if not p.light]
        needed = [p for p in heavy if p.required]
        if not needed and not any(p.kind == "text" for p in self.all):
            needed = heavy
        return needed[0] if len(needed) == 1 and needed[0].raw else None

    @property
    def has_get(self) -> bool:
        """Tell whether a query string can carry all that is required."""
        return all(p.light or not p.required for p in self.all)


def is_scalar(schema: Schema) -> bool:
    """Tell whether the value is one word, so that a query string can hold it."""
    if "enum" in schema or "const" in schema:
        return True
    if "anyOf" in schema:
        return all(is_scalar(member) for member in schema["anyOf"])
    kinds = schema.get("type", "object")
    return _SCALARS.issuperset([kinds] if isinstance(kinds, str) else kinds)


def _items(spec: ParameterSpec) -> Schema | None:
    """Return the schema of a list's items; None for other types and arrays of numbers."""
    schema = without_null(spec.schema)
    items = schema.get("items") if spec.kind == "value" and schema.get("type") == "array" else None
    return items if isinstance(items, dict) and "prefixItems" not in schema else None


def _file_type(items: Schema) -> str:
    return items.get("contentMediaType") or (OCTETS if items.get("contentEncoding") == "base64" else "")
