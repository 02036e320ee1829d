"""From the captured network's ONNX to OpenVINO's IR, in float32 or with int8 operators."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgefn.backends.backend import Lowered
from edgefn.backends.openvino.library import import_openvino
from edgefn.backends.openvino.mixing import WEIGHTED
from edgefn.backends.openvino.session import compiled, version
from edgefn.errors import BuildError
from edgefn.targets.profiles import profiles

if TYPE_CHECKING:
    from edgefn.backends.backend import Captured
    from edgefn.targets.profiles import Target

OPSET = 20


def lower(captured: Captured, target: Target, path: Path) -> Lowered:
    """Writes model.xml and model.bin. Raises BuildError naming the model and the target."""
    openvino = import_openvino()
    model = float32(captured, target)
    toolchain = {"openvino": version()}
    quantized: dict[str, int] = {}
    kept: tuple[str, ...] = ()
    if target.precision == "int8":
        from edgefn.backends.openvino import int8
        from edgefn.compile.quantize.safety import saturates

        clips = saturates(profiles()[target.profile].cpu)
        model, kept = int8.quantized(captured, target, model, saturates=clips)
        toolchain |= int8.toolchain()
        quantized = gate(model, f"{target} of model {captured.model.name}")
    openvino.save_model(model, path, compress_to_fp16=False)
    return Lowered(toolchain, OPSET, quantized, kept)


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


def gate(model: Any, name: str) -> dict[str, int]:
    """The int8 operators of `model` by type, counted in it. Raises BuildError when there are none, or none runs so."""
    found = counted(model)
    if not found:
        raise BuildError(f"{name} has no quantised operator: it is no int8; use the float32 target")
    executed = executed_in_int8(compiled(model.clone()))
    if not executed:
        raise BuildError(f"{name}: openvino runs none of its {sum(found.values())} quantised operators in int8")
    return found


def counted(model: Any) -> dict[str, int]:
    """Operators by type whose weights are quantised: behind a FakeQuantize, or stored in 8 bits."""
    found: Counter[str] = Counter()
    for operator in model.get_ordered_ops():
        kind = operator.get_type_name()
        if kind in WEIGHTED:
            found[kind] += any(_is_quantized(value.get_source_output().get_node()) for value in operator.inputs()[1:])
    return {kind: count for kind, count in sorted(found.items()) if count}


def _is_quantized(node: Any) -> bool:
    """Whether a constant of 8 bits, or a FakeQuantize, is what `node` is made from."""
    for _ in range(4):
        kind = node.get_type_name()
        if kind == "FakeQuantize":
            return True
        if kind == "Constant":
            return node.get_element_type().to_string() in ("i8", "u8")
        if kind not in ("Convert", "Multiply", "Subtract", "Reshape", "Transpose"):
            return False
        node = node.input(0).get_source_output().get_node()
    return False


def executed_in_int8(model: Any) -> dict[str, int]:
    """The compiled model's nodes that run in 8 bits, by kind, as the engine tells."""
    found: Counter[str] = Counter()
    for node in model.get_runtime_model().get_ops():
        info = node.get_rt_info()
        if "runtimePrecision" in info and _text(info["runtimePrecision"]) in ("i8", "u8"):
            found[_text(info["layerType"])] += 1
    return dict(found)


def _text(value: Any) -> str:
    return str(getattr(value, "value", value))


def _complaint(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next(
        (line for line in lines if "not supported" in line or "No conversion" in line), lines[-1] if lines else ""
    )
