"""The inference stacks, by name: imported only when one is asked for.

    backend       the box's half of a stack: the one signature that every engine stands behind
    registry      which backends there are
    linking       artifacts that are finished as they are
    output_names  names of outputs inside an artifact's file
    small_files   the JSON files beside an artifact, read as hostile
    not_numbers   NaN and infinities that an engine would lose
    inexact       whole numbers that it computes inexactly
    out_of_range  indices beyond what they index
    onnxruntime/  ONNX Runtime, the portable one
    openvino/     OpenVINO
    mnn/          MNN
    torchscript/  TorchScript
    aotinductor/  AOTInductor
    pytorch/      what the backends of PyTorch share

Others' backends are entry points of the group "edgefn.backends", each naming a class that satisfies
`edgefn.backends.backend.Backend`. A built-in name cannot be taken over by one. The build machine's half of an engine is
a lowering of the same name (`edgefn.compile.lower`).
"""

from __future__ import annotations

from edgefn.backends.registry import get, look_again, names

__all__ = ["get", "look_again", "names"]
