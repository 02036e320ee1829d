"""openapi-python-client, unchanged, makes a client of /openapi.json that calls every function in the ways it knows."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
import types
import typing
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from tests.clients.catalogue import FUNCTIONS
from tests.clients.samples import RED, SAMPLES, Sample, base64_of, told_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from tests.e2e.box import RunningBox

PACKAGE = "box_client"
UNKNOWN = ("Unsupported content type", "Unsupported content_type application/x-ndjson")
"""What openapi-python-client says of content types that it does not know; it makes the operation without them."""


@pytest.fixture(scope="module")
def generated(kinds_box: RunningBox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder of the client's package, importable, and what the generator said."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_text(json.dumps(kinds_box.http.get("/openapi.json").json()))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    command += ["--path", str(folder / "openapi.json"), "--output-path", str(folder / PACKAGE)]
    (folder / "config.json").write_text('{"post_hooks": []}')  # what formats the code, which nobody reads
    command += ["--config", str(folder / "config.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield folder, done.stdout + done.stderr
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def operation(name: str, id: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.api.{name}.{id}")


def test_it_makes_every_operation(generated: tuple[Path, str]) -> None:
    """No operation and no schema is left out; it names only content types that it does not know."""
    folder, said = generated
    made = {path.stem for path in (folder / PACKAGE / "api").glob("*/*.py")}
    assert FUNCTIONS.keys() <= made
    assert {"get_take_int", "get_box", "deploy_function", "put_blob"} <= made
    assert "will not be generated" not in said, said
    assert "Unable to parse" not in said, said


def bodies(module: ModuleType, sample: Sample) -> Iterator[tuple[str, Any]]:
    """Each body that the client takes for the sample's arguments, with the name of its class."""
    hint = typing.get_type_hints(module.sync_detailed).get("body")
    if hint is None:
        yield "none", None
        return
    given = {name: value for name, value in sample.given.items() if name not in queries(module)}
    for kind in typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,):
        if (made := body_of(kind, given)) is not None:
            yield getattr(kind, "__name__", str(kind)), made


def queries(module: ModuleType) -> set[str]:
    return set(typing.get_type_hints(module.sync_detailed)) - {"client", "body", "return", "x_request_timeout"}


def body_of(kind: Any, given: dict[str, Any]) -> Any:
    name = getattr(kind, "__name__", str(kind))
    (first, *rest) = given.values() if given else (None,)
    if name == "File":
        raw = array_file(first) if isinstance(first, list) else first
        return kind(payload=io.BytesIO(raw)) if not rest and isinstance(raw, bytes) else None
    if name.endswith("FilesBody"):
        return named(kind.from_dict({one: part(value) for one, value in given.items()}))
    if name.endswith(("JsonBody", "DataBody")) and (rest or not isinstance(first, dict)):
        return kind.from_dict({one: base64_of(value) for one, value in given.items()})
    if hasattr(kind, "from_dict"):
        return kind.from_dict(first)
    if first is None:
        return None
    if typing.get_origin(kind) is list and hasattr(item := typing.get_args(kind)[0], "from_dict"):
        return [item.from_dict(one) for one in first]
    return None if name in ("Unset", "NoneType") else first


def named(body: Any) -> Any:
    """Give each file of a form a name, which openapi-python-client leaves to its caller."""
    for value in (getattr(body, field.name) for field in attrs.fields(type(body))):
        for file in value if isinstance(value, list) else [value]:
            if hasattr(file, "payload"):
                file.file_name = "file"
    return body


def part(value: Any) -> Any:
    is_array = isinstance(value, list) and value and isinstance(value[0], list)
    return array_file(value) if is_array else value


def array_file(rows: Any) -> bytes:
    import numpy as np

    file = io.BytesIO()
    np.save(file, np.array(rows, np.float32))
    return file.getvalue()


def answer_of(response: Any, sample: Sample) -> Any:
    if isinstance(sample.answer, bytes):
        return response.parsed.payload.read()
    if sample.function == "give_image":
        return told_image(response.content)
    return json.loads(response.content)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.function}-{len(sample.given)}")
def test_its_client_gets_the_right_answers(generated: tuple[Path, str], kinds_box: RunningBox, sample: Sample) -> None:
    """By POST with each kind of body that the client has a class for, and by GET where there is one."""
    client = importlib.import_module(f"{PACKAGE}.client").Client
    post = operation(sample.function, sample.function)
    called = 0
    for name, body in bodies(post, sample):
        query = {one: enum_of(post, one, value) for one, value in sample.given.items() if one in queries(post)}
        with client(base_url=kinds_box.url) as session:
            response = post.sync_detailed(client=session, **({} if body is None else {"body": body}), **query)
        assert response.status_code == 200, (name, response.content)
        assert answer_of(response, sample) == sample.answer, name
        called += 1
    assert called


def enum_of(module: ModuleType, name: str, value: Any) -> Any:
    hint = typing.get_type_hints(module.sync_detailed)[name]
    for kind in typing.get_args(hint) or (hint,):
        if isinstance(kind, type) and issubclass(kind, str) and hasattr(kind, "__members__"):
            return kind(value)
    return value


def test_a_file_needs_no_name(generated: tuple[Path, str], kinds_box: RunningBox) -> None:
    """A form's part with neither file name nor content type is a file where it is one."""
    post = operation("take_image", "take_image")
    body = importlib.import_module(f"{PACKAGE}.models").TakeImageFilesBody.from_dict({"value": RED})
    with importlib.import_module(f"{PACKAGE}.client").Client(base_url=kinds_box.url) as session:
        response = post.sync_detailed(client=session, body=body)
    assert json.loads(response.content) == {"value": told_image(RED)}
