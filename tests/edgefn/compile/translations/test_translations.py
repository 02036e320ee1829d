"""Operators that the exporter translates for some cases alone, or not at all: right at every size, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.compile.capture.capture import capture
from edgefn.errors import BuildError
from edgefn.spec import TensorSpec
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SIZES = {"batch": 2, "n": 12}
FREE = tensor("float32", "batch", 3, "n", 5)
FIXED = tensor("float32", "batch", 3, 7, 5)


@pytest.mark.parametrize("given", [FREE, FIXED], ids=["free", "fixed"])
@pytest.mark.parametrize("wanted", [1, 2, (5, 3), (4, 1)])
def test_the_largest_of_each_window(wanted: Any, given: TensorSpec) -> None:
    """AdaptiveMaxPool2d, whether windows overlap or come out even."""
    from torch import nn

    eager = of(lambda pool, x: pool(x), nn.AdaptiveMaxPool2d(wanted), x=given)
    sizes = {word: SIZES[word] for word in given.shape if isinstance(word, str)}
    check(eager, capture(eager, sizes), sizes)


def test_the_largest_of_each_window_in_one_and_three_dimensions() -> None:
    """As in two."""
    from torch import nn

    eager = of(
        lambda one, three, x: (one(x.flatten(2)), three(x[:, None])),
        *(nn.AdaptiveMaxPool1d(3), nn.AdaptiveMaxPool3d((2, 3, 1))),
        x=FREE,
    )
    check(eager, capture(eager, SIZES), SIZES)


def test_places_of_the_largest_are_refused_with_a_way_out() -> None:
    """They are part of no translation, and no other tensor is given in their place."""
    from torch import nn

    eager = of(lambda pool, x: pool(x)[1].float(), nn.AdaptiveMaxPool2d(2, return_indices=True), x=FREE)
    with pytest.raises(BuildError, match="leave out return_indices"):
        capture(eager, SIZES).onnx(20)


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_attention_of_any_rank(rank: int) -> None:
    """Windows of a hierarchical transformer have five dimensions."""
    from torch.nn import functional

    def forward(x: Any) -> Any:
        windows = {3: x.flatten(1, 2), 4: x, 5: x[:, None]}[rank]
        return functional.scaled_dot_product_attention(windows, windows * 2, windows)

    eager = of(forward, x=tensor("float32", "batch", 3, "n", 8))
    check(eager, capture(eager, SIZES), SIZES)


def test_heads_that_are_joined_again() -> None:
    """A learnt bias has gradients, with which attention lays its rows out otherwise: a view of them is none then."""
    from torch import nn
    from torch.nn import functional

    def forward(query: Any, key: Any, bias: Any, x: Any) -> Any:
        shape = (*x.shape[:-1], 2, 4)
        heads = [one.view(shape).transpose(1, 2) for one in (query(x), key(x), x)]
        first, second, third = heads
        joined = functional.scaled_dot_product_attention(first, second, third, bias.weight[None, None])
        joined = joined.transpose(1, 2)
        return joined.reshape(*x.shape[:-1], -1).contiguous()

    eager = of(forward, nn.Linear(8, 8), nn.Linear(8, 8), nn.Embedding(17, 17), x=tensor("float32", 1, 17, 8))
    check(eager, capture(eager, {}), {}, rounds=1)


def test_the_exporters_own_failure_is_told_as_such() -> None:
    """Not as an operator that ONNX lacks: it is PyTorch's that does not get so far."""
    eager = of(lambda x: x.diagonal_scatter(x.diagonal() * 2), x=tensor("float32", 4, 4))
    with pytest.raises(BuildError, match=r"exporter fails at prims\.copy_to"):
        capture(eager, {}).onnx(20)
    assert np.array_equal(eager.run({"x": np.eye(4, dtype=np.float32)})["output"], 2 * np.eye(4))
