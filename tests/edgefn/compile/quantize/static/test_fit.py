"""What static quantisation found, kept as files."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from edgefn.compile.quantize.graph.preparation import prepared
from edgefn.compile.quantize.static import fit
from edgefn.compile.quantize.static.static import Static
from tests.edgefn.compile.quantize.conftest import Digits

pytestmark = pytest.mark.needs_torch


def test_a_fit_that_was_read_writes_the_same_file(trained: Digits, tmp_path: Path) -> None:
    """Byte for byte, with all layers and with one kept in float."""
    captured = trained.captured(calibration=16)
    model = prepared(onnx.load(captured.onnx(20)))
    found = Static(model, [one.inputs for one in captured.calibration], saturates=True).fit
    fit.write(found, tmp_path)
    read = fit.read(tmp_path)
    assert read.names == found.names
    assert read.kept == found.kept
    for kept in ((), (found.names[0],)):
        assert read.written(kept).SerializeToString() == found.written(kept).SerializeToString()
