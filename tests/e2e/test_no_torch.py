"""The box has no PyTorch in it, and its own process no engine and no user's code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.box import RunningBox
from tests.e2e.processes import mapped_files

Deployed = Callable[[str], RunningBox]


@pytest.mark.needs_torch
def test_no_process_of_a_box_has_torch(deployed: Deployed) -> None:
    """No process, while a function with a model serves, has mapped a library of torch."""
    box = deployed("linear")
    assert box.call("linear", x=[0, 0, 0, 0]) == [1, 1, 1, 1]
    pids = box.pids()
    assert len(pids) >= 4, "box, zygote, template and instance"
    for pid in pids:
        assert [path for path in mapped_files(pid) if "torch" in path] == []


@pytest.mark.needs_torch
def test_the_box_process_has_no_engine(deployed: Deployed) -> None:
    """The box process never loads ONNX Runtime or NumPy; its instances do have the engine."""
    box = deployed("linear")
    box.call("linear", x=[0, 0, 0, 0])
    assert [path for path in mapped_files(box.pid) if "onnxruntime" in path or "numpy" in path] == []
    (instance, *_) = box.status("linear").instances
    assert any("onnxruntime" in path for path in mapped_files(instance.pid))
