"""Which lowerings there are: the built-in ones, then entry points of the group "edgefn.lowerings"."""

from __future__ import annotations

from edgefn.backends.registry import EngineRegistry
from edgefn.compile.lower.lowering import Lowering

LOWERINGS: EngineRegistry[Lowering] = EngineRegistry(
    "lowering",
    "edgefn.lowerings",
    {
        "aotinductor": "edgefn.compile.lower.aotinductor.lowering:AotInductorLowering",
        "mnn": "edgefn.compile.lower.mnn.lowering:MnnLowering",
        "onnxruntime": "edgefn.compile.lower.onnxruntime.lowering:OnnxRuntimeLowering",
        "openvino": "edgefn.compile.lower.openvino.lowering:OpenVinoLowering",
        "torchscript": "edgefn.compile.lower.torchscript.lowering:TorchScriptLowering",
    },
)
get, names = LOWERINGS.get, LOWERINGS.names
