"""What is asked of nothing has PyTorch's answer in an artifact, or none; of one element and of more it is as before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn import Dim, tensor
from edgefn.backends import get
from edgefn.compile import lower
from edgefn.compile.capture.capture import capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.targets.profiles import Target
from tests.edgefn.compile.capture.test_exporting import of
from tests.edgefn.compile.networks import network, onnx_of, session

pytestmark = [
    pytest.mark.needs_torch,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:.*degrees of freedom:UserWarning"),
]

ENGINES = {"onnxruntime": "portable", "openvino": "x86-64-v3"}


def averages(net: Any, x: Any) -> Any:
    """Of elements and of rows that are chosen by their values; the last one is of what is always there."""
    import torch

    high, rows = x[x > 1], x[x[:, 0] > 1]
    return (
        *(high.mean(), high.std(), high.var(unbiased=False), high.mean(0, keepdim=True)),
        *(rows.mean(0), rows.std(0), rows.var(0, keepdim=True), rows.mean((0, 1)), rows.mean(0, dtype=torch.float64)),
        *(*torch.var_mean(rows, 0), torch.std_mean(high)[0], high.sum(), rows.mean(1)),
    )


def test_averages_of_nothing_are_nan() -> None:
    """Of none, one and several; ONNX Runtime's mean of nothing is 0, which reads like a measurement."""
    eager = session(network(averages))
    found = onnx_of(capture(eager))
    nothing = np.linspace(0, 1, 24, dtype=np.float32).reshape(3, 8)
    one, several = nothing.copy(), nothing.copy()
    one[1, 0], several[1:, [0, 3]] = 2, [[2, 3], [4, 6]]
    for x in (nothing, one, several):
        wanted = eager.run({"x": x})
        assert np.isnan(wanted["output_0"]).any() == (x is nothing)
        for name, values in found.run({"x": x}).items():
            np.testing.assert_allclose(np.asarray(values, float), np.asarray(wanted[name], float), rtol=1e-6)
            assert values.dtype == wanted[name].dtype


def sessions(eager: EagerSession, sizes: dict[str, int], folder: Path) -> dict[str, Any]:
    """Return the artifacts of both engines, loaded."""
    captured, found = capture(eager, sizes), {}
    captured.sizes = sizes
    for name, profile in ENGINES.items():
        lower.get(name).lower(captured, Target(profile, "fp32", name), folder / name)
        get(name).finish(folder / name, folder / f"{name}-finished")
        found[name] = get(name).load(folder / f"{name}-finished")
    return found


def steps(x: Any) -> Any:
    """How a series moves, of which one point tells nothing."""
    import torch
    from torch.nn import functional

    moved = x[:, 1:] - x[:, :-1]
    yield from (moved.mean(1), moved.abs().mean((1, 2)), moved.std(1), moved.var(1, correction=0), moved.sum(1))
    yield from (x.diff(dim=1).mean(1), x[:, : x.shape[1] // 2].mean(1), moved.mean(), moved.square().mean(1).sqrt())
    yield from (x.std(1), x.var(1), x[:, 2:].mean((0, 1)), x.mean(0), x.std((0, 1)), functional.mse_loss(moved, -moved))
    yield from ((moved > 0).any(1), (moved > 0).all(1), (moved > 9).any(), (x > 0).all(), moved.any(2), x.bool().any(0))
    yield from (*torch.var_mean(moved, 1), (moved > 0).float().mean(), moved.prod(1), moved.norm(dim=1))


@pytest.mark.long
def test_what_is_left_of_a_length_may_be_nothing(tmp_path: Path) -> None:
    """At each length that the model takes: of one point, of no row, and of more."""
    eager = of(lambda x: tuple(steps(x)), x=tensor("float32", "rows", Dim("points", max=64), 3))
    found = sessions(eager, {"rows": 2, "points": 6}, tmp_path)
    draw = np.random.default_rng(0)
    for rows, points in ((2, 1), (1, 1), (3, 2), (0, 4), (2, 3), (1, 9)):
        inputs = {"x": draw.standard_normal((rows, points, 3)).astype(np.float32)}
        wanted: Any = eager.run(inputs)
        for engine, artifact in found.items():
            if engine == "openvino" and not rows:  # another artifact answers
                with pytest.raises(ValueError, match="input 'x' has no element"):
                    artifact.run(inputs)
                continue
            for name, values in artifact.run(inputs).items():
                message = f"{name} of {engine} for {rows} rows of {points} points"
                np.testing.assert_allclose(values, wanted[name], rtol=1e-4, atol=1e-6, err_msg=message, strict=True)


def chosen(x: Any) -> Any:
    """What is told of the numbers and rows above 1."""
    high, rows = x[x > 1], x[x[:, 0] > 1]
    yield from ((high > 1.5).any(), (high > 1.5).all(), rows.any(0), (rows > 1).all(), rows.all(1), high.bool().any())
    yield from (high.sum(), high.prod(), high.mean(), rows.sum(0), rows.amax(1).sum())


@pytest.mark.long
def test_what_is_chosen_may_be_nothing(tmp_path: Path) -> None:
    """Of nothing, none holds and all do; sums are 0 and products 1."""
    eager = of(lambda x: tuple(chosen(x)), x=tensor("float32", "rows", 4))
    found = sessions(eager, {"rows": 3}, tmp_path)
    for shift in (-9, 0, 1):
        inputs = {"x": np.linspace(shift, shift + 2, 12, dtype=np.float32).reshape(3, 4)}
        wanted: Any = eager.run(inputs)
        for engine, artifact in found.items():
            for name, values in artifact.run(inputs).items():
                np.testing.assert_allclose(values, wanted[name], rtol=1e-5, err_msg=f"{name} {engine}", strict=True)


EXTREMES = {
    "whole numbers": lambda x: (x[x > 1] * 8).long().max(),
    "rows": lambda x: (x[x[:, 0] > 1].max(0), x[x[:, 0] > 1].amin(0, keepdim=True)),
    "places": lambda x: x[x > 1].argmax(),
}


@pytest.mark.parametrize("extreme", EXTREMES.values(), ids=EXTREMES)
def test_no_extreme_of_nothing(extreme: Any, tmp_path: Path) -> None:
    """PyTorch raises, and so does an artifact; ONNX Runtime's own answer is minus infinity."""
    eager = of(extreme, x=tensor("float32", "rows", 4))
    some: Any = {"x": np.linspace(0, 2, 12, dtype=np.float32).reshape(3, 4)}
    none = {"x": some["x"] / 2 - 9}
    with pytest.raises((RuntimeError, IndexError)):
        eager.run(none)
    wanted: Any = eager.run(some)
    for artifact in sessions(eager, {"rows": 3}, tmp_path).values():
        for name, values in artifact.run(some).items():
            np.testing.assert_array_equal(values, wanted[name], strict=True)
        with pytest.raises(Exception, match=r"out of|bounds|index"):
            artifact.run(none)


def test_others_are_left_as_they_are() -> None:
    """A declared length is at least 1, so nothing is added for it."""
    eager = of(
        lambda x: (x.mean(0), x.std(), x.max(), (x > 0).any(), x.mean((0, 1))),
        x=tensor("float32", Dim("rows", max=9), 4),
    )
    added = [node for node in capture(eager).program.graph.nodes if "sym_size" in str(node.target)]
    assert not added
