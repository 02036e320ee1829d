"""The document as it is kept: made function by function, whoever asks and leaves meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json

import pytest

from edgefn.spec import FunctionSpec
from edgefn_runtime.gateway.openapi import kept
from edgefn_runtime.gateway.openapi.document import Part, part
from edgefn_runtime.gateway.openapi.kept import KeptDocument
from edgefn_runtime.gateway.openapi.operations import DocumentedFunction


def functions(count: int, number: int = 1) -> list[DocumentedFunction]:
    return [DocumentedFunction(FunctionSpec(f"f{n}", f"f{n}:f{n}"), number, f"sha256:{n}") for n in range(count)]


@pytest.mark.parametrize("leaves_after", range(12))
def test_others_have_their_turn_between_functions(monkeypatch: pytest.MonkeyPatch, leaves_after: int) -> None:
    """Two hundred functions held up every request for 0.3 s; each is made once, and what is told is of now."""
    made: list[str] = []
    turns: list[int] = []

    def making(function: DocumentedFunction) -> Part:
        made.append(function.spec.name)
        return part(function)

    async def told(document: KeptDocument, wanted: list[DocumentedFunction]) -> list[str]:
        return list(json.loads(await document.body(wanted, "http://box"))["paths"])[: len(wanted)]

    async def others() -> None:
        while True:
            turns.append(len(made))
            await asyncio.sleep(0)

    async def main() -> None:
        document, beside = KeptDocument("1"), asyncio.create_task(others())
        leaving = asyncio.create_task(told(document, functions(10)))
        for _ in range(leaves_after):
            await asyncio.sleep(0)
        leaving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leaving
        assert await told(document, functions(10)) == [f"/fn/f{n}" for n in range(10)]
        made.clear()
        assert (
            await asyncio.gather(*(told(document, functions(9, 2)) for _ in range(3)))
            == [[f"/fn/f{n}" for n in range(9)]] * 3
        )
        assert made == [f"f{n}" for n in range(9)]
        beside.cancel()

    monkeypatch.setattr(kept, "part", making)
    asyncio.run(main())
    assert max(after - before for before, after in itertools.pairwise(turns)) <= 1
