"""Pictures of whole numbers, resized: rounded as PyTorch does, where ONNX Runtime cuts the fractions off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile import lower
from edgefn.compile.capture.capture import capture
from edgefn.errors import BuildError
from edgefn.targets.profiles import target
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def test_bytes_are_rounded(tmp_path: Path) -> None:
    """PyTorch has weights of 16 bits for them: few are one off."""
    from torch.nn.functional import interpolate

    eager = of(lambda x: interpolate(x, size=(9, 9), mode="bilinear"), x=tensor("uint8", 1, 3, 5, 7))
    lower.get("onnxruntime").lower(capture(eager), target("portable/fp32"), tmp_path)
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 5, 7), np.uint8)
    (found,) = get("onnxruntime").load(tmp_path).run({"x": x}).values()
    (wanted,) = eager.run({"x": x}).values()
    off = np.abs(found.astype(int) - wanted.astype(int))
    assert found.dtype == np.uint8
    assert off.max() <= 1
    assert off.mean() < 0.3


def test_cubes_of_bytes_are_refused() -> None:
    """Rounded between the axes: up to ten off near black and white."""
    from torch.nn.functional import interpolate

    eager = of(lambda x: interpolate(x, size=(9, 9), mode="bicubic"), x=tensor("uint8", 1, 3, 5, 7))
    with pytest.raises(BuildError, match=r"bicubic.* of uint8 .* write \.float\(\) before it"):
        capture(eager)
