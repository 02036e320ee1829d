"""The table of the handler's guide: each kind of input, sent in each way, and whether it comes out right.

`python -m tests.clients.table` writes it into docs/handlers.md anew. What is right is worked out here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from edgefn.codec.request.signature import Request
from edgefn.codec.result.results import encode
from edgefn.errors import InputError
from tests.clients.calls import Call, File, encoded
from tests.clients.catalogue import FUNCTIONS
from tests.clients.samples import BLOB, BLUE, RED, ROWS, TEXT, base64_of, told_bytes, told_image, told_rows

GUIDE = Path(__file__).parents[2] / "docs" / "handlers.md"
BEGIN, END = "<!-- table: inputs -->\n", "<!-- end of table -->\n"

JSON, MSGPACK, OCTETS = "application/json", "application/msgpack", "application/octet-stream"
CURLS_OWN = "application/x-www-form-urlencoded"


class Kind(NamedTuple):
    """A kind of input: a value of it, and how it is written.

    title   in the table
    json    the value in JSON
    told    what the function tells of it
    texts   the fields of a form or query, each the text of one; several for a list
    raw     the bytes that are the value itself, if there is such a form; else its JSON
    media   their content type
    files   the files of a multipart form, with their type
    """

    title: str
    function: str
    json: Any
    told: Any
    texts: list[str]
    raw: bytes
    media: str
    files: list[tuple[bytes, str]]
    msgpack: Any = msgspec.UNSET


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(ROWS, np.float32))
    return file.getvalue()


NPY = _npy()
NUMBERS = np.array(ROWS, "<f4").tobytes()


def _scalar(title: str, function: str, value: Any) -> Kind:
    text = value if isinstance(value, str) else json.dumps(value)
    return Kind(
        title, function, value, value, [text], json.dumps(value).encode(), JSON, [(text.encode(), "text/plain")]
    )


def _structure(title: str, function: str, value: Any, told: Any = None) -> Kind:
    text = json.dumps(value)
    return Kind(title, function, value, told or value, [text], text.encode(), JSON, [(text.encode(), JSON)])


def _list(title: str, function: str, values: list[Any]) -> Kind:
    texts = [str(value) for value in values]
    files = [(text.encode(), "text/plain") for text in texts]
    return Kind(title, function, values, values, texts, json.dumps(values).encode(), JSON, files)


def _files(title: str, function: str, values: list[bytes], told: Any, media: str) -> Kind:
    texts = [base64_of(value) for value in values]
    files = [(value, media) for value in values]
    return Kind(title, function, texts, told, texts, json.dumps(texts).encode(), JSON, files, values)


KINDS = [
    _scalar("`int`", "take_int", -3),
    _scalar("`float`", "take_float", 2.5),
    _scalar("`bool`", "take_bool", True),
    _scalar("`Literal`", "take_literal", "fast"),
    _scalar("`Enum`", "take_enum", "red"),
    _scalar("`date`", "take_date", "2026-03-01"),
    _scalar("`UUID`", "take_uuid", "00000000-0000-0000-0000-000000000001"),
    _scalar("`int \\| None`", "take_optional", 4),
    Kind("`str`", "take_text", TEXT, TEXT, [TEXT], TEXT.encode(), "text/plain", [(TEXT.encode(), "text/plain")]),
    Kind(
        "`bytes`",
        "take_bytes",
        base64_of(BLOB),
        told_bytes(BLOB),
        [base64_of(BLOB)],
        BLOB,
        OCTETS,
        [(BLOB, OCTETS)],
        BLOB,
    ),
    Kind(
        "`Image`",
        "take_image",
        base64_of(RED),
        told_image(RED),
        [base64_of(RED)],
        RED,
        "image/png",
        [(RED, "image/png")],
        RED,
    ),
    Kind(
        "tensor",
        "take_rows",
        ROWS,
        told_rows(ROWS),
        [json.dumps(ROWS)],
        NPY,
        "application/x-npy",
        [(NPY, "application/x-npy")],
    ),
    _list("`list[int]`", "take_ints", [1, -2, 3]),
    _list("`list[str]`", "take_texts", ["a", "b c", "ß"]),
    _files("`list[Image]`", "take_images", [RED, BLUE], [told_image(RED), told_image(BLUE)], "image/png"),
    _files("`list[bytes]`", "take_blobs", [BLOB, b"x"], [told_bytes(BLOB), told_bytes(b"x")], OCTETS),
    _structure("`tuple`", "take_pair", [1, "one"]),
    _structure("`dict`", "take_dict", {"a": 1.5, "b": 2.0}),
    _structure("struct, dataclass", "take_struct", {"t": 21.5}, {"t": 21.5, "name": "kitchen"}),
    _structure("list of such", "take_boxes", [{"left": 1, "top": 2, "label": None}]),
    _structure("`Any`", "take_any", {"free": [1, None]}),
]


class Cell(NamedTuple):
    """One kind sent in one way: the call, and what the function must tell where it is served."""

    kind: Kind
    way: str
    call: Call
    right: Any


def cells() -> Iterator[Cell]:
    """Each cell of the table, row by row."""
    for kind in KINDS:
        for way, (call, right) in _ways(kind).items():
            yield Cell(kind, way, call, right)


def _ways(kind: Kind) -> dict[str, tuple[Call, Any]]:
    name, told = kind.function, kind.told
    native = kind.json if kind.msgpack is msgspec.UNSET else kind.msgpack
    by_name = {"value": kind.json} if kind.function == "take_any" else told  # whatever it is given is its value
    as_text = kind.texts[0].encode()
    told_of_text = {"take_bytes": told_bytes(as_text), "take_text": kind.texts[0]}.get(name, told)

    def body(media: str | None, data: bytes, right: Any = told) -> tuple[Call, Any]:
        return Call(name, media=media, body=data), right

    def foreign(media: str, data: bytes, own: str) -> tuple[Call, Any]:
        """A file of a kind, sent to a function of another: only bytes are what they are."""
        return body(media, data, told if name == own else told_bytes(data) if name == "take_bytes" else None)

    as_typed = told  # a form's text is bytes as they were typed in
    if name in ("take_bytes", "take_blobs"):
        as_typed = [told_bytes(text.encode()) for text in kind.texts]
        as_typed = as_typed[0] if name == "take_bytes" else as_typed
    fields = [("value", text) for text in kind.texts]
    return {
        "JSON": body(JSON, json.dumps(kind.json).encode()),
        "JSON by name": body(JSON, json.dumps({"value": kind.json}).encode(), by_name),
        "msgpack": body(MSGPACK, msgspec.msgpack.encode(native)),
        "msgpack by name": body(
            MSGPACK,
            msgspec.msgpack.encode({"value": native}),
            {"value": kind.json} if kind.function == "take_any" else told,
        ),
        "form": (Call(name, form=fields), told),
        "query": (Call(name, query=fields), told),
        "multipart, text": (Call(name, multipart=[File("value", text.encode()) for text in kind.texts]), as_typed),
        "multipart, file": (
            Call(
                name, multipart=[File("value", data, f"{at}.bin", media) for at, (data, media) in enumerate(kind.files)]
            ),
            told,
        ),
        "own type": body(kind.media, kind.raw),
        "`application/octet-stream`": body(OCTETS, NUMBERS if name == "take_rows" else kind.raw),
        "no type": body(None, kind.raw),
        "curl's type": body(CURLS_OWN, kind.raw),
        "`text/plain`": body("text/plain", as_text, told_of_text),
        "`image/png`": foreign("image/png", RED, "take_image"),
        "`application/x-npy`": foreign("application/x-npy", NPY, "take_rows"),
    }


class Outcome(NamedTuple):
    """What came of a call: 200 and what was told, or a refusal with its field and its text."""

    status: int
    told: Any = None
    field: str = ""
    text: str = ""


def outcome(call: Call) -> Outcome:
    """Return what comes of a call, decoded, handled and encoded in this process as an instance does it."""
    function = FUNCTIONS[call.function]
    media, body = encoded(call)
    query = call.path.partition("?")[2]
    try:
        arguments = function.signature.decode(Request(media or "", body or b"", query))
    except InputError as error:
        return Outcome(error.status, field=error.field, text=str(error))
    _, answer = encode(function(**arguments), function.signature.result)
    return Outcome(200, json.loads(answer)["value"])


def table() -> str:
    """Return the table in Markdown."""
    rows: dict[str, dict[str, str]] = {}
    for cell in cells():
        came = outcome(cell.call)
        rows.setdefault(cell.kind.title, {})[cell.way] = "✓" if came.status == 200 else str(came.status)
    ways = list(next(iter(rows.values())))
    lines = [f"| input | {' | '.join(ways)} |", "| --- |" + " --- |" * len(ways)]
    lines += [f"| {title} | {' | '.join(row.values())} |" for title, row in rows.items()]
    return "".join(f"{line}\n" for line in lines)


def written(page: str) -> str:
    """Return `page` with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    GUIDE.write_text(written(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
