"""A transposed convolution gives the size that it is asked for, whichever it is."""

from __future__ import annotations

from typing import Any

import pytest

from edgefn import tensor
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SIZES = {"height": 16, "width": 21}


def test_it_is_as_large_as_another_tensor() -> None:
    """A decoder's, of even and odd sizes, with several steps; and one whose padding is a number."""
    from torch import nn

    def forward(down: Any, up: Any, wide: Any, x: Any) -> Any:
        small = down(x)
        return up(small, output_size=x.shape[2:]), wide(small)

    eager = of(
        forward,
        nn.Conv2d(2, 3, 3, stride=(2, 3), padding=1),
        nn.ConvTranspose2d(3, 2, 3, stride=(2, 3), padding=1),
        nn.ConvTranspose2d(3, 2, 3, stride=2, output_padding=(1, 0), dilation=2),
        x=tensor("float32", 1, 2, "height", "width"),
    )
    check(eager, capture(eager, SIZES), SIZES)
