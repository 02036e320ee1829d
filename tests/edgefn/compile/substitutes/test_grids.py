"""Sampling grids of spatial transformers: right at every size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile.capture.capture import capture
from edgefn.errors import BuildError
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


@pytest.mark.parametrize("corners", [False, True])
def test_pictures_and_volumes_of_a_free_size_are_warped(corners: bool) -> None:
    """By a matrix of their own, from one pixel on, with both meanings of the corners."""
    import torch
    from torch.nn import functional

    def forward(theta: Any, x: Any) -> Any:
        flat = functional.affine_grid(theta, list(x.shape), align_corners=corners)
        deep = functional.affine_grid(
            torch.cat([theta, theta[:, :1]], 1).repeat(1, 1, 2)[:, :, :4], [*x.shape[:2], 3, *x.shape[2:]], corners
        )
        return flat, deep, functional.grid_sample(x, flat, align_corners=corners)

    eager = of(forward, theta=tensor("float32", "batch", 2, 3), x=tensor("float32", "batch", 1, "height", "width"))
    sizes = {"batch": 2, "height": 6, "width": 9}
    captured = capture(eager, sizes)
    assert all(allowed.max is None and allowed.multiple_of == 1 for allowed in captured.model.ranges.values())
    check(eager, captured, sizes, rounds=6)


def test_a_line_of_a_free_size_is_pytorchs() -> None:
    """Down to a single place, upwards and downwards."""
    import torch

    def forward(x: Any) -> Any:
        return x * torch.linspace(-1, 1, x.shape[1]), torch.linspace(5, 0.3, steps=x.shape[1] + 1, dtype=torch.float32)

    eager = of(forward, x=tensor("float32", "batch", "n"))
    captured = capture(eager, {"batch": 2, "n": 9})
    assert captured.model.ranges == {}
    check(eager, captured, {"batch": 2, "n": 9})


def test_a_pixel_that_engines_choose_otherwise_is_refused() -> None:
    """The nearest of two pixels that are as near, reflected; with what to write instead. The others build."""
    from torch.nn import functional

    inputs = {"x": tensor("float32", 1, 2, 5, 5), "grid": tensor("float32", 1, 4, 4, 2)}
    with pytest.raises(BuildError, match=r"padding_mode='border', or mode='bilinear'"):
        capture(of(lambda x, grid: functional.grid_sample(x, grid, "nearest", "reflection"), **inputs), {})
    eager = of(lambda x, grid: functional.grid_sample(x, grid, "nearest", "border", align_corners=False), **inputs)
    check(eager, capture(eager, {}), {}, rounds=2)


def test_places_far_away_and_none_at_all() -> None:
    """A homography divides by next to nothing: no int32 holds such a place, and ONNX Runtime took a pixel inside."""
    from torch.nn import functional

    ways = [(mode, padding) for padding in ("zeros", "border") for mode in ("bilinear", "nearest")]

    def forward(x: Any, grid: Any) -> Any:
        return tuple(functional.grid_sample(x, grid, *way, align_corners=False) for way in ways)

    eager = of(forward, x=tensor("float32", 1, 1, 4, 4), grid=tensor("float32", 1, 2, 3, 2))
    captured = capture(eager)
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    x = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
    places = [[np.nan, 0], [np.inf, 0], [-np.inf, 0.3], [1e20, 0], [0.2, -1e9], [0.3, -0.2]]
    inputs = {"x": x, "grid": np.array(places, np.float32).reshape(1, 2, 3, 2)}
    wanted: Any = eager.run(inputs)
    for name, found in artifact.run(inputs).items():
        np.testing.assert_allclose(found, wanted[name], rtol=1e-5, err_msg=name)
