"""From the captured network's ONNX to OpenVINO's IR, in float32 or with int8 operators."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgefn.backends.backend import Lowered
from edgefn.backends.openvino.library import import_openvino
from edgefn.backends.openvino.session import version
from edgefn.errors import BuildError

if TYPE_CHECKING:
    from edgefn.backends.backend import Captured
    from edgefn.targets.profiles import Target

OPSET = 20


def lower(captured: Captured, target: Target, path: Path) -> Lowered:
    """Writes model.xml and model.bin. Raises BuildError naming the model and the target, GateError with the figures."""
    openvino = import_openvino()
    model = float32(captured, target)
    lowered = Lowered({"openvino": version()}, OPSET)
    if target.precision == "int8":
        import onnx

        from edgefn.backends.openvino import int8

        made, model, counted = int8.made(captured, target, onnx.load(captured.onnx(OPSET)))
        lowered = Lowered(lowered.toolchain | {"int8": made.recipe}, OPSET, counted, made.kept)
    openvino.save_model(model, path, compress_to_fp16=False)
    return lowered


def float32(captured: Captured, target: Target) -> Any:
    """The network as a model of OpenVINO, symbolic dimensions free."""
    openvino = import_openvino()
    try:
        model = openvino.Core().read_model(captured.onnx(OPSET))
    except RuntimeError as error:
        what = _complaint(error)
        raise BuildError(
            f"{target} of model {captured.model.name}: openvino {version()} does not convert it: {what}; "
            "leave the target out, or write the network with other operators"
        ) from error
    return model


def _complaint(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next(
        (line for line in lines if "not supported" in line or "No conversion" in line), lines[-1] if lines else ""
    )
