"""Pieces of a free length, of which the first have one element more."""

from __future__ import annotations

from typing import Any

import pytest

from edgefn import tensor
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def test_the_first_pieces_have_one_more() -> None:
    """Recorded at 20 of 3 pieces, right for 6, 7 and 8; at given places it is PyTorch's own."""
    import torch

    def forward(x: Any) -> Any:
        rows = x.transpose(1, 2).tensor_split(2, dim=-1)
        pieces = (*torch.tensor_split(x, 3, 1), *rows, *torch.tensor_split(x, (2, 4), dim=1))
        return (*(one.sum((1, 2)) for one in pieces), torch.tensor_split(x, 3, dim=1)[1])

    eager = of(forward, x=tensor("float32", "batch", "n", 4))
    sizes = {"batch": 2, "n": 20}
    captured = capture(eager, sizes)
    check(eager, captured, sizes, rounds=20)
