"""Resizing by any factor: right at every length, one that stays as it is among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile.capture.capture import capture
from edgefn.errors import BuildError
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def by_factors(x: Any) -> Any:
    """Resize along one axis, two and three, one of them by a whole number."""
    from torch.nn.functional import interpolate

    wide = x[:, None]
    return (
        interpolate(x, scale_factor=1.1, mode="linear"),
        interpolate(wide, scale_factor=(2.0, 1.1), mode="bilinear"),
        interpolate(wide, scale_factor=1.3, mode="bilinear", align_corners=True),
        interpolate(wide[:, None], scale_factor=(1.0, 1.2, 1.7), mode="trilinear"),
    )


def test_every_length() -> None:
    """From one number on, by factors that leave few numbers as many as they are."""
    eager = of(by_factors, x=tensor("float32", 1, 3, "n"))
    captured = capture(eager, {"n": 24})
    assert not captured.model.ranges
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    for length in range(1, 26):
        inputs = {"x": np.random.default_rng(length).standard_normal((1, 3, length)).astype(np.float32)}
        for found, wanted in zip(artifact.run(inputs).values(), eager.run(inputs).values(), strict=True):
            np.testing.assert_allclose(np.array(found), np.array(wanted), atol=1e-5)


def test_what_engines_resize_otherwise_has_a_range_or_is_refused() -> None:
    """A cubic one starts where it grows; edges that are smoothed by a fraction have no form."""
    from torch.nn.functional import interpolate

    free, fixed = tensor("float32", 1, 1, "n", 30), tensor("float32", 1, 1, 5, 30)
    captured = capture(of(lambda x: interpolate(x, scale_factor=1.1, mode="bicubic"), x=free), {"n": 24})
    assert captured.model.ranges["n"].min == 10
    with pytest.raises(BuildError, match=r"keeps 5 pixels.*give size="):
        capture(of(lambda x: interpolate(x, scale_factor=1.1, mode="bicubic"), x=fixed), {})
    with pytest.raises(BuildError, match=r"smooths differently.*give size="):
        capture(of(lambda x: interpolate(x, scale_factor=0.7, mode="bilinear", antialias=True), x=free), {"n": 24})
