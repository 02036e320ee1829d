"""What a type checker must reject, line by line. Never run: tests/edgefn/test_typing.py checks it.

Each line's comments name the error that mypy and pyright must report there; both fail on a comment that hides
nothing, so a line that starts to pass is a failing test.
"""

from __future__ import annotations

import edgefn
from edgefn import EdgeFunction, Image, edge_function, edge_model, tensor
from edgefn.testing import call

edgefn.edge_functions()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


@edge_function
def bare(n: int) -> dict[str, int]:
    return {"n": n}


@edge_function(timeout="1s")
async def later(n: int) -> int:
    return n


bare("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
bare()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
bare(1, 2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
bare(m=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
text: str = bare(1)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
number: int = later(1)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

edge_function(memroy="1GiB")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
edge_function(scale=4)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
edge_function("name")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
edge_model()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
edge_model(inputs={"x": "float32"})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
tensor("float23", 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
tensor("float32", 3.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Image("cat.jpg")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Image(b"").array((3, 4), fit="fill")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Image(b"").encode("GIF")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def takes(function: EdgeFunction[[str], str]) -> None: ...


takes(bare)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
call(lambda n: n)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportUnknownLambdaType]
call(bare, data=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
call(bare, files={"a": "text"})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
