"""Small numbers that a network adds, and factors near 1, are in its file: no optimiser takes them for 0 or 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile import lower
from edgefn.compile.capture.capture import capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.dimensions.sizes import combined
from edgefn.spec import ModelSpec

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SMALL = [10.0**-power for power in (5, 7, 8, 9, 10, 12, 20, 30)]
NEAR = 5e-6


def steadied() -> Any:
    """Make a network that divides by what may be nothing, and takes its logarithm."""
    import torch

    class Steadied(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            size = x.square().sum(1)
            added = [torch.log(size + small) for small in SMALL]
            divided = [x / (size + small)[:, None] for small in SMALL]
            kept = [torch.log(size - -small) for small in SMALL]
            return *added, *divided, *kept, x * (1 + NEAR) - x, x / (1 + NEAR) - x

    return Steadied()


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_what_is_added_to_keep_a_logarithm_or_a_quotient_finite_is_kept(engine: str) -> None:
    """Of zeros, of tiny and of usual numbers, each answer is eager's."""
    from edgefn.targets.profiles import Target

    network = steadied()
    specs = {"x": tensor("float32", "n", 4)}
    session = EagerSession(lambda: network, ModelSpec("net", specs, {}, combined(specs, "net")))
    caught = capture(session, {"n": 5})
    backend = get(engine)
    target = Target("x86-64-v3", "fp32", engine)
    folder = caught.shared(engine, lambda made: lower.get(engine).lower(caught, target, made))
    artifact = backend.load(folder)
    numbers = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    for scale in (0.0, 1e-12, 1e-6, 1.0, 1e4):
        inputs = {"x": numbers * np.float32(scale)}
        wanted, found = session.run(inputs), artifact.run(inputs)
        for number, (name, answer) in enumerate(wanted.items()):
            rounding = 1e-4 if number < 3 * len(SMALL) else 0.05  # of what is left of two numbers that are nearly equal
            one: Any = found[name]
            other: Any = answer
            np.testing.assert_allclose(one, other, rtol=rounding, atol=1e-30, err_msg=f"{name} of {scale}")
