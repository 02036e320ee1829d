"""Lengths that are computed with fractions are Python's in the portable artifact, and every artifact is tried at those
that tell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edgefn import Dim, backends, tensor
from edgefn.compile import lower
from edgefn.compile.capture.capture import capture
from edgefn.compile.dimensions import rounding
from edgefn.compile.samples import trials
from edgefn.golden import GoldenSample
from tests.edgefn.compile.capture.test_exporting import of
from tests.edgefn.compile.networks import onnx_of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SIZES = {"n": 40}
TELLING = (90, 100, 170, 200, 700, 1100)


def lengths(x: Any) -> Any:
    """A share, a quotient, a share of a share, a root: each length shows in a sum alone, no shape tells it."""
    n = x.shape[1]
    of_share = math.floor(math.ceil((n + 3) * 0.55) * 0.7)
    taken = (math.floor(n * 0.7), math.floor(n * 0.57), math.ceil(n / 1.1), of_share, math.floor(n**0.5))
    return tuple(x[:, :length].sum(1) for length in taken)


def test_lengths_are_pythons() -> None:
    """In float32, 90 * 0.7 is 63 and 100 * 0.57 is 57; Python's are less by a hair, so it takes one element fewer."""
    eager = of(lengths, x=tensor("float32", 2, Dim("n", max=2000)))
    found = onnx_of(capture(eager, SIZES))
    for n in (*range(1, 130), *TELLING):
        x = {"x": np.ones((2, n), np.float32)}
        wanted = eager.run(x)
        for name, one in found.run(x).items():
            np.testing.assert_array_equal(one, wanted[name], err_msg=f"{name} at {n}")


@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_resizing_by_a_fraction(mode: str) -> None:
    """As many as PyTorch gives, where Resize gives one more."""
    from torch.nn import functional

    for options in ({"scale_factor": 0.7}, {"scale_factor": 0.57, "recompute_scale_factor": True}):
        eager = of(
            lambda x, options=options: functional.interpolate(x, mode=mode, **options),
            x=tensor("float32", 1, 1, Dim("n", min=30, max=2000)),
        )
        found = onnx_of(capture(eager, SIZES))
        for n in (33, *TELLING):
            x = {"x": np.random.default_rng(n).standard_normal((1, 1, n)).astype(np.float32)}
            wanted: Any = eager.run(x)["output"]
            one: Any = found.run(x)["output"]
            np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-4, err_msg=f"{n}")


def test_an_artifact_is_tried_at_lengths_that_tell() -> None:
    """Of engines that have no doubles as well: the least two, before any other size, within what is declared."""
    spec = tensor("float32", 2, Dim("n", min=2, max=2000))
    caught = capture(of(lambda x: x[:, math.floor(x.shape[1] * 0.7) :].mean(1), x=spec), SIZES)
    assert dict(caught.telling) == {"n": [90, 170]}
    sample = GoldenSample({"x": np.ones((2, 40), np.float32)}, {})
    assert trials.other_sizes(caught.model, [sample], caught.telling)[:2] == [{"n": 90}, {"n": 170}]
    exact = capture(of(lambda x: x[:, math.floor(x.shape[1] * 0.25) :].mean(1), x=spec), SIZES)
    assert not exact.telling


def test_what_another_engine_computes_is_seen(tmp_path: Any) -> None:
    """openvino has no doubles, so the telling length shows what no other does."""
    pytest.importorskip("openvino")
    from edgefn.targets.profiles import target

    eager = of(lambda x: x[:, : math.floor(x.shape[1] * 0.7)].sum(1), x=tensor("float32", 1, Dim("n", max=2000)))
    caught = capture(eager, SIZES)
    lower.get("openvino").lower(caught, target("x86-64-v3/fp32"), tmp_path)
    session = backends.get("openvino").load(tmp_path)
    off = [n for n in (40, 41, *caught.telling["n"]) if session.run(ones(n))["output"] != eager.run(ones(n))["output"]]
    assert set(off) <= set(caught.telling["n"])


def ones(n: int) -> dict[str, Any]:
    return {"x": np.ones((1, n), np.float32)}


def test_other_files_are_left_as_they_are() -> None:
    """Where no length is computed with a fraction, nothing is changed."""
    caught = capture(of(lambda x: x[:, : x.shape[1] // 3 + 1], x=tensor("float32", 2, "n")), SIZES)
    assert not rounding._rounding(caught.program)
