"""`OnnxRuntimeLowering`: model.onnx in float as exported, or in int8."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn.backends.onnxruntime import settings
from edgefn.backends.onnxruntime.backend import PORTABLE, OnnxRuntime
from edgefn.compile.lower.lowering import Lowered
from edgefn.compile.lower.rewriting import not_numbers, steps
from edgefn.errors import BuildError

if TYPE_CHECKING:
    from edgefn.compile.lower.lowering import Captured
    from edgefn.targets.probe import Probe
    from edgefn.targets.profiles import Target


OPSET = 20
"""The opset asked for: what torch.onnx writes without a conversion, and ONNX Runtime ≥ 1.17 reads."""


class OnnxRuntimeLowering:
    """The lowering called "onnxruntime"."""

    name = "onnxruntime"

    def probe(self) -> Probe:
        """Tell whether onnxruntime is installed; read its metadata, never import it."""
        return OnnxRuntime().probe()

    def lower(self, captured: Captured, target: Target, folder: Path) -> Lowered:
        """Write `model.onnx` into `folder`; past the protobuf limit also `model.onnx.data`.

        An int8 artifact also has a settings.json. Raise BuildError where the target cannot be built, GateError with the
        figures where int8 misses its bound.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if target.precision == "fp32":
            return _float(captured, folder)
        if target.precision == "int8":
            return _int8(captured, target, folder)
        raise BuildError(
            f"onnxruntime has no {target.precision} on the CPU, so model {captured.model.name} is not built for "
            f"{target}; ask for fp32 or int8"
        )


def _float(captured: Captured, folder: Path) -> Lowered:
    opset = captured.own_opset or OPSET
    source = captured.onnx(opset)
    shutil.copyfile(source, folder / PORTABLE)
    if (data := source.with_name(f"{source.name}.data")).exists():
        shutil.copyfile(data, folder / data.name)
    if captured.own_opset is None:  # a file is its own reference
        steps.rewrite(folder / PORTABLE, not_numbers.rewriter(not_numbers.ONNX_RUNTIME))
    if captured.own_opset and (counted := _integers(source)):  # sessions of it pack weights, and do not saturate
        settings.write(settings.Settings("int8", settings.EXACT_PRODUCTS), folder)
        return Lowered(_toolchain(opset), opset, counted)
    return Lowered(_toolchain(opset), opset)


def _integers(source: Path) -> dict[str, int]:
    """Count the integer operators, by type, of a file that was quantised before."""
    import onnx

    from edgefn.compile.quantize import gate

    return gate.in_file(onnx.load(source, load_external_data=False))


def _int8(captured: Captured, target: Target, folder: Path) -> Lowered:
    from edgefn.compile.quantize import int8
    from edgefn.compile.quantize.engine import ONNX_RUNTIME

    made, counted = int8.lowered(captured, target, captured.onnx(OPSET), folder / PORTABLE, OPSET, ONNX_RUNTIME)
    settings.write(settings.Settings("int8", dict(made.session)), folder)
    steps.rewrite(folder / PORTABLE, not_numbers.rewriter(not_numbers.INT8))
    return Lowered(_toolchain() | {"int8": made.recipe}, OPSET, counted, made.kept, made.share.rounded)


def _toolchain(opset: int = OPSET) -> dict[str, str]:
    from importlib.metadata import version

    versions = {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")}
    return versions | {"opset": str(opset)}
