"""@edge_function: an ordinary callable, its type hints checked at import, and a folder that becomes one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import PIL.Image
import pytest

from edgefn import Image, SpecError, edge_function, tensor
from edgefn.function import load


class Box(msgspec.Struct):
    width: int


@edge_function
def area(box: Box, scale: float = 1.0) -> float:
    """The area."""
    return box.width * scale


@edge_function(timeout="2s")
async def later(n: int) -> int:
    await asyncio.sleep(0)
    return n + 1


def test_a_decorated_function_is_called_as_before() -> None:
    """Positional, by name, with defaults; name, docstring and module stay."""
    assert area(Box(2)) == 2.0
    assert area(box=Box(2), scale=3) == 6.0
    assert (area.__name__, area.__doc__, area.__module__) == ("area", "The area.", __name__)
    with pytest.raises(TypeError):
        area()  # type: ignore[call-arg]


def test_a_wrapped_handler_keeps_its_own_hints() -> None:
    """A decorator of another module below @edge_function does not hide where the hints' names live."""

    @contextlib.contextmanager
    def within() -> Iterator[None]:
        yield

    @edge_function
    @within()
    def handler(box: Box) -> int:
        return box.width

    assert handler(Box(3)) == 3
    assert handler.spec.parameters[0].name == "box"


def test_an_async_function_is_awaited() -> None:
    """Calling it gives the coroutine."""
    assert asyncio.run(later(1)) == 2
    assert later.is_async
    assert not area.is_async


def test_the_spec_names_the_function() -> None:
    """Name and entry come from the code; parameters from the hints."""
    assert area.spec.name == "area"
    assert area.spec.entry == f"{__name__}:area"
    assert [(p.name, p.kind, p.required) for p in area.spec.parameters] == [
        ("box", "value", True),
        ("scale", "value", False),
    ]
    assert msgspec.json.decode(msgspec.json.encode(area.spec), type=type(area.spec)) == area.spec


def _no_hint(n) -> int: ...  # type: ignore[no-untyped-def, empty-body]
def _no_result(n: int): ...  # type: ignore[no-untyped-def]
def _socket(lock: socket.socket) -> None: ...
def _nested_socket(locks: list[socket.socket]) -> None: ...
def _bare_array(x: np.ndarray) -> None: ...
def _pillow(image: PIL.Image.Image) -> None: ...
def _stray_tensor(x: Annotated[int, tensor("int64")]) -> None: ...
def _two_dtypes(x: Annotated[np.typing.NDArray[np.float64], tensor("float32", 4)]) -> None: ...
def _nested_array(xs: list[np.ndarray]) -> None: ...
def _unknown(x: NoSuchType) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def _positional(n: int, /) -> None: ...
def _starred(*n: int) -> None: ...
def _keywords(**n: int) -> None: ...
def _callback(f: Callable[[], int]) -> None: ...
def _two_structs(x: Box | dict[str, int]) -> None: ...
def _image_or_number(x: Image | int) -> None: ...
def _bad_result(n: int) -> socket.socket: ...  # type: ignore[empty-body]


def _generator(n: int) -> Iterator[int]:
    yield n


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (_no_hint, r"parameter n has no type hint: write .*`n: int`"),
        (_no_result, r"_no_result has no type hint for its result: write `-> "),
        (_socket, r"parameter lock is annotated .*socket, which cannot be read from a request"),
        (_nested_socket, r"parameter locks is annotated list\[.*cannot be read"),
        (_bare_array, r"parameter x is annotated .*: write `Annotated\[np.ndarray, tensor\("),
        (_pillow, r"parameter image is annotated as a Pillow image: write `Image`"),
        (_stray_tensor, r"parameter x is annotated .*: write `Annotated\[np.ndarray"),
        (_two_dtypes, r"parameter x is an NDArray of float64, but its tensor\(...\) says float32"),
        (_nested_array, r"parameter xs .*a tensor must be its own parameter"),
        (_unknown, r"parameter x is annotated 'NoSuchType', which cannot be evaluated"),
        (_positional, r"parameter n is positional-only"),
        (_starred, r"parameter n is variadic positional"),
        (_keywords, r"parameter n is variadic keyword"),
        (_callback, r"parameter f is annotated .*cannot be read"),
        (_two_structs, r"parameter x is annotated .*cannot be read"),
        (_image_or_number, r"parameter x is annotated .*cannot be read"),
        (_bad_result, r"_bad_result, result is annotated .*cannot be encoded"),
        (_generator, r"_generator yields"),
    ],
)
def test_hints_that_no_request_can_carry_are_refused(handler: Callable[..., Any], message: str) -> None:
    """At import, naming the parameter and what to write."""
    with pytest.raises(SpecError, match=message):
        edge_function(handler)


@pytest.mark.parametrize("target", ["name", 3, Box, len, area])
def test_only_functions_are_decorated(target: Any) -> None:
    """Options given by position, classes and built-ins are told how it is written."""
    with pytest.raises(SpecError, match="put it on a `def` or `async def`"):
        edge_function(target)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a function's folder; sys.path and sys.modules are as before when the test ends."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "modules", sys.modules.copy())

    def write(name: str, source: str, **others: str) -> Path:
        path = tmp_path / name
        path.mkdir()
        (path / f"{name}.py").write_text("from __future__ import annotations\n" + source)
        for other, text in others.items():
            (path / f"{other}.py").write_text(text)
        return path

    return write


ONE = "from edgefn import edge_function\n\n@edge_function\ndef {name}(n: int) -> int:\n    return n + 1\n"


def test_load_finds_the_one_function(folder: Callable[..., Path]) -> None:
    """The entry is `folder:attribute`, whatever the handler was called; imported functions do not count."""
    source = (
        "from edgefn import edge_function\nfrom loaded_lib import helper\n\ndef _f(n: int) -> int:\n    return n\n\n"
    )
    source += "served = edge_function(name='loaded')(_f)\nagain = served\n"
    path = folder("loaded_one", source, loaded_lib=ONE.format(name="helper"))
    function = load(path)
    assert function.spec.entry == "loaded_one:served"
    assert function.spec.name == "loaded"
    assert function(3) == 3


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("loaded_none", "x = 1\n", "must hold exactly one @edge_function; it holds none"),
        ("loaded_two", ONE.format(name="a") + ONE.format(name="b"), "exactly one @edge_function; it holds a, b"),
        ("msgspec", ONE.format(name="f"), "another module msgspec .* rename the folder"),
        ("json", ONE.format(name="f"), "would hide Python's own module 'json': rename the folder"),
        ("sndhdr", ONE.format(name="f"), "would hide Python's own module 'sndhdr': rename the folder"),
        ("not-a-module", ONE.format(name="f"), "cannot be imported: give the folder"),
    ],
)
def test_load_refuses_other_folders(folder: Callable[..., Path], name: str, source: str, message: str) -> None:
    """None, several, a name that is taken, a name that is no module."""
    with pytest.raises(SpecError, match=message):
        load(folder(name, source))


def test_load_refuses_a_folder_without_its_module(tmp_path: Path) -> None:
    """The message names the file that is missing."""
    with pytest.raises(SpecError, match=r"is not a function folder: it has no .*\.py"):
        load(tmp_path)


def test_load_lets_the_users_error_through(folder: Callable[..., Path]) -> None:
    """What the module raises is not wrapped: the caller shows its trace."""
    with pytest.raises(ZeroDivisionError):
        load(folder("loaded_broken", "1 / 0\n"))
