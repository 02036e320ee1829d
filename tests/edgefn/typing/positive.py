"""What a type checker must accept, with the exact types. Never run: tests/edgefn/test_typing.py checks it."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, assert_type

import numpy as np
from numpy.typing import NDArray

from edgefn import EdgeFunction, EdgeModel, Image, edge_function, edge_model, tensor
from edgefn.testing import HttpAnswer, call


@edge_function
def bare(n: int, *, scale: float = 1.0) -> dict[str, float]:
    return {"n": n * scale}


@edge_function(memory="256MiB", timeout=2, idle="60s", scale=(0, 4), concurrency=2, queue=5, max_body="1MiB", name="o")
def with_options(image: Image, label: str | None = None) -> list[str]:
    return [image.format, label or ""]


@edge_function()
def without_options(x: Annotated[NDArray[np.float32], tensor("float32", "n", 4)]) -> NDArray[np.float32]:
    return x


@edge_function(timeout="1s")
async def later(n: int) -> int:
    return n


@edge_model(inputs={"pixels": tensor("float32", "batch", 3, 224, 224)}, samples="samples/*.jpg", tolerance=1e-3)
def network() -> object: ...


assert_type(bare(1), dict[str, float])
assert_type(bare(n=1, scale=2.0), dict[str, float])
assert_type(with_options(Image.open("cat.jpg"), label="x"), list[str])
assert_type(without_options(np.zeros((2, 4), np.float32)), NDArray[np.float32])
pending: Coroutine[Any, Any, int] = later(1)
assert_type(bare.handler(1), dict[str, float])
assert_type(network, EdgeModel)
assert_type(network(pixels=np.zeros((1, 3, 224, 224), np.float32)), NDArray[Any])
assert_type(network.run(pixels=np.zeros(1)), dict[str, NDArray[Any]])
assert_type(Image(b"").array((3, 4)), NDArray[np.uint8])


async def awaits() -> None:
    assert_type(await later(2), int)


def passes_on(function: EdgeFunction[[int], int]) -> int:
    return function(1)


@edge_function
def plus(n: int) -> int:
    return n + 1


passes_on(plus)
assert_type(call(bare, json={"n": 1}), HttpAnswer)
assert_type(call(with_options, data=Path("cat.jpg"), query={"label": ["x", "y"]}, accept="text/plain").status, int)
assert_type(
    call(later, files={"a": Path("a.png"), "b": [b"raw", ("c.png", b"c")]}, data={"n": 1, "ok": True}).text, str
)
