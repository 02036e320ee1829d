"""Backends by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgefn import backends
from edgefn.errors import BundleError


def test_a_built_in_backend_is_found_and_made_once() -> None:
    """get() gives the same object each time."""
    assert backends.get("onnxruntime") is backends.get("onnxruntime")
    assert backends.get("onnxruntime").name == "onnxruntime"


def test_an_unknown_backend_says_which_there_are() -> None:
    """The error names the one asked for and those that exist."""
    with pytest.raises(BundleError, match=r"'hailort' here \(.*onnxruntime.*\): install the distribution"):
        backends.get("hailort")
    with pytest.raises(BundleError, match=r'did you mean "openvino"\? Else install'):
        backends.get("openvin")


def test_asking_for_a_backend_imports_no_engine() -> None:
    """get() and probe() read metadata only: the box process may call them."""
    code = (
        "import sys; from edgefn import backends; probe = backends.get('onnxruntime').probe();"
        "assert probe.available and probe.version, probe;"
        "sys.exit(bool({'onnxruntime', 'numpy', 'torch'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
