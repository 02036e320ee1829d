"""edgefn's own engines hold the contracts that it asks of others'."""

from __future__ import annotations

import pytest

from edgefn.testing.backends import BackendContract
from edgefn.testing.lowerings import LoweringContract

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

PORTABLE, OPENVINO = "portable/fp32", "x86-64-v3/fp32"
MNN, SCRIPT, INDUCTOR = "cortex-a72/fp32@mnn", "x86-64-v3/fp32@torchscript", "x86-64-v3/fp32@aotinductor"


class TestOnnxRuntime(BackendContract):
    name, target, engine = "onnxruntime", PORTABLE, ("onnxruntime",)


class TestOpenVino(BackendContract):
    name, target, engine = "openvino", OPENVINO, ("openvino",)


class TestMnn(BackendContract):
    name, target, engine = "mnn", MNN, ("MNN",)


class TestTorchScript(BackendContract):
    name, target = "torchscript", SCRIPT


@pytest.mark.long  # g++ compiles for half a minute; test_aotinductor.py has smaller ones
class TestAotInductor(BackendContract):
    name, target = "aotinductor", INDUCTOR


class _Lowering(LoweringContract):
    """What takes a build for each run is left to `make test-long`."""

    test_the_same_network_gives_the_same_files = pytest.mark.long(
        LoweringContract.test_the_same_network_gives_the_same_files
    )


class TestOnnxRuntimeLowering(_Lowering):
    name, target = "onnxruntime", PORTABLE


class TestOpenVinoLowering(_Lowering):
    name, target = "openvino", OPENVINO


class TestMnnLowering(_Lowering):
    name, target = "mnn", MNN


class TestTorchScriptLowering(_Lowering):
    name, target = "torchscript", SCRIPT


@pytest.mark.long
class TestAotInductorLowering(LoweringContract):
    name, target = "aotinductor", INDUCTOR
