"""Functions with free sizes, as users write them: their ONNX computes what eager PyTorch does at every size they take.

The oracle is the case's own: the builder's network, run by PyTorch; no code of the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgefn.backends import get
from edgefn.compile.capture.capture import Capture, capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.spec import SizeRange
from tests.cases.case import Case

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

Arrays = Mapping[str, NDArray[Any]]


def noise(*shapes: tuple[int, ...]) -> list[NDArray[Any]]:
    """Random float32 arrays, others for other shapes."""
    random = np.random.default_rng(hash(shapes) % 2**32)
    return [random.standard_normal(shape).astype(np.float32) for shape in shapes]


class Built:
    """A case's network captured, and its ONNX loaded by ONNX Runtime."""

    def __init__(self, name: str, sizes: Mapping[str, int], folder: Path, *edits: tuple[str, str]) -> None:
        self.case = Case(name, folder)
        for old, new in edits:
            self.case.edit(old, new)
        self.captured: Capture = capture(EagerSession(self.case.model.builder, self.case.model.spec), sizes)
        self.session = get("onnxruntime").load(self.captured.onnx(20).parent)

    def check(self, inputs: Arrays, *, close: float = 1e-4) -> None:
        """Fail unless all outputs are the oracle's, up to `close` of its largest element."""
        wanted = self.case.eager(inputs)
        found: Any = list(self.session.run(dict(inputs)).values())
        for one, other in zip(found, wanted if isinstance(wanted, list) else [wanted], strict=True):
            assert one.shape == other.shape, inputs.keys()
            np.testing.assert_allclose(one, other, rtol=close, atol=close * np.abs(other).max())


def sized(sizes: Iterable[tuple[int, ...]], make: Callable[..., Arrays]) -> list[Arrays]:
    return [make(*one) for one in sizes]


def test_faces_n_takes_the_numbers_of_faces_it_is_right_for(tmp_path: Path) -> None:
    """`if e.shape[0] > 1` goes another way for one face: the range begins at 2, and one is refused with the range."""
    built = Built("faces_n", {"n": 2}, tmp_path)
    assert built.captured.model.ranges == {"n": SizeRange(2)}
    for inputs in sized([(2,), (3,), (17,)], lambda n: {"crops": noise((n, 3, 32, 32))[0]}):
        built.check(inputs)


def test_keyword_stft_takes_any_clip_of_half_a_window(tmp_path: Path) -> None:
    """torch.stft reflects half a window of 400: 201 samples at least, found by torch. One clip at a time works."""
    built = Built("keyword_stft", {"batch": 1, "samples": 8000}, tmp_path)
    assert built.captured.model.ranges == {"samples": SizeRange(201)}
    for inputs in sized([(1, 201), (1, 16000), (3, 7919), (2, 400)], lambda *shape: {"audio": noise(shape)[0]}):
        built.check(inputs, close=2e-3)  # of the logarithm of a spectrum that is nearly 0 in places


def test_gru_stream_takes_any_time_and_any_batch(tmp_path: Path) -> None:
    """torch.export would unroll the layer, and fix the number of frames."""
    gains = '"gains": tensor("float32", "batch", "time", 64), '
    built = Built("gru_stream", {"batch": 1, "time": 10}, tmp_path, (f'{gains}"state"', f'{gains}"after"'))
    assert built.captured.model.ranges == {}
    assert built.captured.model.outputs["after"].shape == (2, "batch", 96)
    for batch, time in ((1, 1), (1, 10), (1, 400), (5, 7), (2, 2)):
        frames, state = noise((batch, time, 64), (2, batch, 96))
        built.check({"frames": frames, "state": state})


@pytest.mark.parametrize(("name", "sizes"), [("light_grid", (120, 160)), ("area_thumb", (48, 64))])
def test_windows_follow_the_frame(name: str, sizes: tuple[int, int], tmp_path: Path) -> None:
    """AdaptiveAvgPool2d and interpolate(mode="area") take their windows from each frame, not from the samples'."""
    built = Built(name, {"batch": 1, "height": sizes[0], "width": sizes[1]}, tmp_path)
    random = np.random.default_rng(0)
    several = [(1, 1), (3, 400), (31, 29), *(tuple(random.integers(1, 300, 2)) for _ in range(20))]
    for height, width in several:
        built.check({"x": noise((int(random.integers(1, 4)), 1, height, width))[0]})
    for _, inputs in built.case.module.requests():
        built.check(inputs)
