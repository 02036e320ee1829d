"""`edgefn.testing.call` in a test's hands; tests/clients/test_in_process.py has that it answers as a box does."""

from __future__ import annotations

import asyncio
import contextvars
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest

from edgefn import EdgeFunction, Image, edge_function, edge_model, tensor
from edgefn.errors import BuildError, InputError
from edgefn.function import load
from edgefn.model import models_of
from edgefn.testing import artifacts, call
from tests.e2e.bundles import EXAMPLES, TINY, Bundles

CAT = EXAMPLES / "classify_image" / "samples" / "cat.jpg"

NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="nobody")


@edge_function
def half(image: Image, factor: float = 0.5) -> Image:
    """Return the picture at half its size."""
    width, height = image.size
    return Image.from_pil(image.pil().resize((int(width * factor), int(height * factor))))


@edge_function
async def greets(fail: bool = False) -> str:
    """Answer after a while."""
    await asyncio.sleep(0)
    if fail:
        raise LookupError("no name")
    return f"hello {NAME.get()}"


def test_what_came_back_is_at_hand() -> None:
    """Status, media type, text, JSON, and the exception behind an error."""
    answer = call(greets)
    assert (answer.status, answer.ok, answer.media_type, answer.json()) == (
        200,
        True,
        "application/json",
        "hello nobody",
    )
    assert call(greets, accept="text/plain").text == "hello nobody"
    assert answer.raise_for_status() is answer
    refused = call(greets, json={"fial": True}, headers={"X-Request-Id": "seven"})
    assert (refused.status, refused.headers["x-request-id"]) == (400, "seven")
    assert refused.json()["field"] == "fial"
    with pytest.raises(InputError, match="fail"):
        refused.raise_for_status()
    failed = call(greets, query={"fail": True})
    assert (failed.status, failed.json()["error"]) == (500, "HandlerError")
    assert isinstance(failed.error, LookupError)
    picture = call(half, files={"image": CAT.read_bytes()}, data={"factor": 0.1})
    assert picture.media_type == "image/png"
    with pytest.raises(ValueError, match="is image/png, not JSON"):
        picture.json()


async def _from_a_loop() -> str:
    NAME.set("loop")
    return call(greets, accept="text/plain").text


def test_an_async_handler_is_called_from_a_running_loop_too() -> None:
    """As a test of pytest-asyncio does; with the caller's context."""
    assert asyncio.run(_from_a_loop()) == "hello loop"


def test_an_interrupt_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the test, and is not told as a 500."""
    monkeypatch.setattr(half, "handler", lambda image: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        call(half, data=CAT)


def test_what_is_no_function_is_told() -> None:
    """A plain function, or the module."""
    with pytest.raises(TypeError, match="under @edge_function"):
        call(lambda n: n)  # type: ignore[arg-type]


def test_calling_loads_nothing_heavy() -> None:
    """`from edgefn.testing import call` and a call with JSON need msgspec alone."""
    code = (
        "import sys; from edgefn import edge_function; from edgefn.testing import call\n"
        "def f(n): return n\n"
        "f.__annotations__ = {'n': int, 'return': int}\n"
        "assert call(edge_function(f), json={'n': 1}).json() == 1\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"numpy", "PIL", "torch", "starlette", "onnxruntime"} & set(done.stdout.split())


# ── models ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def linear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EdgeFunction[..., Any]:
    """A function with a model, in a project of its own, on a machine without PyTorch."""
    shutil.copytree(TINY / "linear", tmp_path / "linear")
    (tmp_path / "edgefn.toml").write_text('[project]\nname = "p"\n[functions.linear]\npath = "linear"\n')
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "linear", raising=False)
    function = load(tmp_path / "linear")
    monkeypatch.setattr(artifacts, "_has_pytorch", lambda: False)
    return function


@pytest.mark.needs_torch
def test_without_pytorch_the_last_build_runs_the_models(
    linear: EdgeFunction[..., Any], bundles: Bundles, tmp_path: Path
) -> None:
    """The portable artifact answers as PyTorch does; without a build it is said what to do."""
    with pytest.raises(BuildError, match="neither PyTorch nor a build of it is here"):
        call(linear, json={"x": [1, 2, 3, 4]})
    layout = bundles.of("linear").folder.path.parents[1]
    (tmp_path / ".edgefn").mkdir()
    (tmp_path / ".edgefn" / "bundles").symlink_to(layout)
    assert call(linear, json={"x": [1, 2, 3, 4]}).raise_for_status().json() == [3.0, 5.0, 7.0, 9.0]
    assert "torch" not in type(linear.handler.__globals__["doubler"]._session).__module__


def test_a_build_of_another_model_is_refused(linear: EdgeFunction[..., Any], bundles: Bundles, tmp_path: Path) -> None:
    """A model that has changed since is not run by what was built before."""
    (tmp_path / ".edgefn").mkdir()
    (tmp_path / ".edgefn" / "bundles").symlink_to(bundles.of("linear").folder.path.parents[1])
    module = sys.modules["linear"]
    model = next(iter(models_of(module).values()))

    @edge_model(inputs={"other": tensor("float32", 3)})
    def replaced() -> None: ...

    replaced.spec = type(model.spec)(model.spec.name, replaced.spec.inputs)
    for name, value in list(vars(module).items()):
        if value is model:
            setattr(module, name, replaced)
    with pytest.raises(BuildError, match="no artifact of this model"):
        call(linear, json={"x": [1, 2, 3, 4]})


@edge_model(inputs={"x": tensor("float32", 2)})
def broken() -> str:
    """Return what is no network."""
    return "no network"


@edge_function
def asks(x: Annotated[np.ndarray[Any, Any], tensor("float32", 2)]) -> list[float]:
    """Run the model."""
    return list(broken(x=x))


@pytest.mark.needs_torch
def test_a_network_that_cannot_be_built_is_an_error_of_the_test() -> None:
    """It is no answer of a box: the author's builder is wrong."""
    with pytest.raises(BuildError):
        call(asks, json={"x": [1, 2]})
