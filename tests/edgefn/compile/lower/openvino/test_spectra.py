"""Fourier transforms in openvino are along the axis that the network names, and to as many bins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgefn.backends.openvino import OpenVino
from edgefn.compile.capture.capture import capture
from edgefn.compile.lower.openvino.lowering import OpenVinoLowering
from edgefn.spec import TensorSpec
from edgefn.targets.profiles import target
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

BACKEND = OpenVino()
LOWERING = OpenVinoLowering()
FP32 = target("x86-64-v3/fp32@openvino")


def _through_the_spectrum(x: torch.Tensor) -> Any:
    twice = 2 * x.shape[-1]
    kernel = torch.fft.rfft(torch.linspace(-1, 1, 5), n=twice)
    return torch.fft.irfft(torch.fft.rfft(x, n=twice) * kernel, n=twice)[..., : x.shape[-1]]


@pytest.mark.parametrize(
    "forward",
    [
        _through_the_spectrum,
        lambda x: (torch.fft.rfft(x).abs(), torch.fft.rfft(x, dim=1).imag, torch.fft.rfft(x, dim=0).real),
        lambda x: (torch.fft.fft2(x).real, torch.fft.ifft(torch.fft.fft(x, dim=-2), dim=-1).imag),
        lambda x: (torch.fft.irfft(torch.fft.rfft(x)), torch.fft.rfft(x[0, 0]).abs()),
    ],
)
def test_a_transform_is_along_its_axis(forward: Callable[..., Any], tmp_path: Path) -> None:
    """Of any rank, to half a spectrum and back from it: each axis was taken for the second one."""
    eager = of(forward, x=TensorSpec("float32", ("batch", 6, "n")))
    caught = capture(eager, {"batch": 2, "n": 9})
    caught.sizes = {"batch": 2, "n": 9}
    LOWERING.lower(caught, FP32, tmp_path / "portable")
    BACKEND.finish(tmp_path / "portable", tmp_path / "finished")
    session = BACKEND.load(tmp_path / "finished")
    for batch, length in ((2, 9), (1, 8), (6, 6), (3, 50)):
        inputs: Any = {"x": np.random.default_rng(length).standard_normal((batch, 6, length)).astype(np.float32)}
        found: Any = session.run(inputs)
        wanted: Any = eager.run(inputs)
        for name, answer in wanted.items():
            assert found[name].shape == answer.shape
            np.testing.assert_allclose(found[name], answer, rtol=1e-4, atol=1e-5 * np.abs(answer).max(), err_msg=name)
