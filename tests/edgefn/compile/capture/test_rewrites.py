"""What torch.onnx or a program's file cannot hold is written otherwise, and computes what eager PyTorch does."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends import get
from edgefn.compile.capture import snapshot
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SIZES = {"batch": 2, "n": 12}


def pieces(cut: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a network that cuts its input, doubled along the free dimension."""

    def forward(x: Any) -> Any:
        import torch

        return tuple(cut(torch.cat([x, x * 2], 1)))

    return forward


@pytest.mark.parametrize(
    "forward",
    [
        pytest.param(pieces(lambda x: x.chunk(2, 1)), id="chunk in two"),
        pytest.param(lambda x: (x * 2).chunk(2, 1), id="chunk of what may be odd"),
        pytest.param(pieces(lambda x: x.split(x.shape[1] // 2, 1)), id="split by a free size"),
    ],
)
def test_pieces_of_a_free_dimension(forward: Callable[[Any], Any]) -> None:
    """As many as there are, the last one shorter where they do not come out even."""
    eager = of(forward, x=tensor("float32", "batch", "n", 4))
    check(eager, capture(eager, SIZES), SIZES)


def test_lengths_that_are_rounded_up(tmp_path: Any) -> None:
    """Padding as TensorFlow has it, `math.ceil(length / stride)`: kept in a file, and right for each length."""
    from torch.nn import functional

    def forward(x: Any) -> Any:
        length = x.shape[-1]
        more = max((math.ceil(length / 3) - 1) * 3 + 5 - length, 0)
        padded = functional.pad(x, [more // 2, more - more // 2])
        return functional.avg_pool1d(padded, 5, 3)

    eager = of(forward, x=tensor("float32", "batch", 4, "n"))
    captured = capture(eager, SIZES)
    check(eager, captured, SIZES)
    snapshot.write(captured, tmp_path)


@pytest.mark.parametrize("less", [0, 5, 40])
def test_lengths_that_are_divided_below_zero(less: int) -> None:
    """Python rounds down, ONNX to zero: `(length - 40) // 7` is the same in both."""
    import torch

    def forward(x: Any) -> Any:
        return x + torch.full((1,), (x.shape[1] - less) // 7) + torch.full((1,), (x.shape[1] - less) % 7)

    eager = of(forward, x=tensor("float32", "batch", "n"))
    check(eager, capture(eager, SIZES), SIZES)


def test_a_float_less_a_whole_mask() -> None:
    """`1.0 - attention_mask` is a float for a mask of int64."""
    eager = of(lambda x, mask: x * (1.0 - mask), x=tensor("float32", "batch", "n"), mask=tensor("int64", "batch", "n"))
    captured = capture(eager, SIZES)
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    inputs: dict[str, Any] = {"x": np.ones((3, 5), np.float32), "mask": np.arange(15).reshape(3, 5) % 2}
    (found,), (wanted,) = artifact.run(inputs).values(), eager.run(inputs).values()
    np.testing.assert_array_equal(found, wanted)


def test_a_clamp_between_a_whole_number_and_a_fraction() -> None:
    """Bounds of unlike types, in each way that a clamp is written, of floats and of whole numbers."""
    from torch.nn import functional

    def forward(x: Any) -> Any:
        whole = (x * 3).int()
        return (
            *(x.clamp(0, 0.5), x.clip(-0.5, 1), x.clamp(max=1, min=-0.3), functional.hardtanh(x, 0, 0.9)),
            *((x * 2).clamp_(-1, 0.7), whole.clamp(0, 2.5), whole.clamp(-1, 2), x.clamp(min=-1), x.clamp(0, 1)),
        )

    eager = of(forward, x=tensor("float32", "batch", "n"))
    check(eager, capture(eager, SIZES), SIZES)


def test_extremes_of_everything() -> None:
    """Of floats, of what is chosen, and beside int8's least, which has no absolute value."""
    eager = of(
        lambda x: (x.amax(), x.amin() + 1, x[x > -9].amax(), (x * 0 - 128).char(), x.abs().amin()),
        x=tensor("float32", "batch", "n"),
    )
    check(eager, capture(eager, SIZES), SIZES)


def test_a_sum_of_halves_is_a_half() -> None:
    """Of all numbers, along one axis and along two; so are running sums, products and extremes."""
    eager = of(
        lambda x: (
            *(x.sum(), x.sum(1), x.sum((0, 1), keepdim=True), x.exp().sum(-1) * 2, x.cumsum(1), x.cumsum(0)),
            *(x.amax(1), x.amin(), x.amax((0, 1)), (x / 2).prod(1), x.max(), x.min(1).values),
        ),
        x=tensor("float16", "n", 6),
    )
    captured = capture(eager, {"n": 4})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    inputs: dict[str, Any] = {"x": (np.random.default_rng(0).normal(size=(7, 6)) * 50).astype(np.float16) / 16}
    for found, wanted in zip(artifact.run(inputs).values(), eager.run(inputs).values(), strict=True):
        assert found.dtype == np.float16
        np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=2e-3)


def test_what_is_written_otherwise_may_be_an_output(tmp_path: Any) -> None:
    """The program's signature names it, so its file can be written: pieces, attention, an average of nothing."""
    from torch.nn import functional

    def forward(x: Any) -> Any:
        chosen = x[x > 1].mean()
        return (*(x * 2).chunk(2, 1), functional.scaled_dot_product_attention(x, x, x), chosen, 1.0 - (x > 0).long())

    caught = capture(of(forward, x=tensor("float32", "batch", "n", 4)), SIZES)
    snapshot.write(caught, tmp_path)
    assert snapshot.info(tmp_path).model.outputs.keys() == {f"output_{number}" for number in range(5)}
