"""What is found in an order: as PyTorch does, for ties, for every size, and NaN among the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SIZES = {"n": 5, "m": 8}
BOUNDS = (-1.0, -0.5, 0.0, 0.5, 1.0)


def found(x: Any) -> Any:
    """Return what is found without an order of equal numbers: values, and counts."""
    import torch

    bounds, rows = torch.tensor(BOUNDS), x.sort(-1).values
    return (
        *(torch.bucketize(x, bounds), torch.bucketize(x, bounds, right=True, out_int32=True)),
        *(torch.searchsorted(rows, x[:, :3]), torch.searchsorted(rows, x, side="right"), torch.searchsorted(bounds, x)),
        *(x.median(), x.median(-1).values, torch.median(x, 0, keepdim=True)[0], x.kthvalue(1, 1).values),
        *(x.cumprod(1), torch.cumprod(x.sigmoid(), 0), (x > 0).cumprod(-1)),
        x.take_along_dim(x.argmax(1, keepdim=True), 1),
    )


@pytest.mark.parametrize("free", [True, pytest.param(False, marks=pytest.mark.long)])
def test_it_is_as_in_pytorch(free: bool) -> None:
    """Halves are on the bounds; sizes are free or fixed."""
    shape = ("n", "m") if free else (5, 8)
    eager = of(lambda x: found((x * 2).round() / 2), x=tensor("float32", *shape))
    check(eager, capture(eager, SIZES if free else {}), SIZES)


def test_a_place_and_what_is_no_number() -> None:
    """Indices where no two are equal; NaN is above every bound, and a median of it is NaN."""
    import torch

    def forward(x: Any) -> Any:
        places = (*x.median(1), *x.kthvalue(3, 1, keepdim=True))
        return *places, torch.bucketize(x, torch.tensor(BOUNDS)), x.median()

    eager = of(forward, x=tensor("float32", "n", "m"))
    captured = capture(eager, SIZES)
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    numbers = np.random.default_rng(0).permutation(np.linspace(-2, 2, 42)).reshape(6, 7).astype(np.float32)
    strange = numbers.copy()
    strange[2, 3] = strange[4, 0] = np.nan
    for x in (numbers, strange):
        kept = slice(0, None) if x is numbers else slice(4, None)  # which NaN is the median's is left open
        answers = [list(one.run({"x": x}).values())[kept] for one in (artifact, eager)]
        for given, wanted in zip(*answers, strict=True):
            np.testing.assert_array_equal(np.asarray(given), np.asarray(wanted))
