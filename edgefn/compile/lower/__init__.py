"""The build machine's half of each inference stack: a captured network becomes a portable artifact.

    lowering      the one signature that every stack's half stands behind
    registry      which lowerings there are
    onnxruntime/  ONNX Runtime, the portable one
    openvino/     OpenVINO
    mnn/          MNN
    torchscript/  TorchScript
    aotinductor/  AOTInductor
    rewriting/    an ONNX file, written otherwise for an engine
    screening/    each step of it tried alone

Others' lowerings are entry points of the group "edgefn.lowerings", each naming a class that satisfies
`edgefn.compile.lower.lowering.Lowering`, with the name of the backend that runs on a box what it makes. A built-in name
cannot be taken over by one. Importing any of these imports no inference stack.
"""

from __future__ import annotations

from edgefn.compile.lower.registry import get, names

__all__ = ["get", "names"]
