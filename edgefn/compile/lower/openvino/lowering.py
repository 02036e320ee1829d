"""`OpenVinoLowering`: the captured network's ONNX, in float32 or in int8, checked to convert in openvino."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgefn.backends import output_names
from edgefn.backends.openvino import session
from edgefn.backends.openvino.backend import BF16, OUTPUTS, PORTABLE, SHAPES, OpenVino
from edgefn.backends.openvino.library import core
from edgefn.compile.lower.lowering import Lowered
from edgefn.compile.lower.openvino import mending, transforms
from edgefn.errors import BuildError, BundleError, GateError

if TYPE_CHECKING:
    from edgefn.compile.lower.lowering import Captured
    from edgefn.targets.probe import Probe
    from edgefn.targets.profiles import Target

OPSET = 20
PRECISIONS = ("fp32", "bf16", "int8")


class OpenVinoLowering:
    """The lowering called "openvino": model.onnx, which any CPU reads that OpenVINO runs on, and the samples' sizes."""

    name = "openvino"

    def probe(self) -> Probe:
        """Tell whether openvino is installed; read its metadata, never import it."""
        return OpenVino().probe()

    def lower(self, captured: Captured, target: Target, folder: Path) -> Lowered:
        """Write the model as ONNX into `folder`, in float32 or with int8 operators.

        bf16 is chosen when it runs, not in the file. Raise BuildError that names the model and the target, GateError
        with the figures.
        """
        if target.precision not in PRECISIONS:
            raise BuildError(
                f"openvino has no {target.precision} on the CPU, so model {captured.model.name} is not built for "
                f"{target}; ask for {', '.join(PRECISIONS)}"
            )
        folder.mkdir(parents=True, exist_ok=True)
        lowered = _lower(captured, target, folder / PORTABLE)
        shapes = {
            name: tuple(captured.sizes.get(size, 1) if isinstance(size, str) else size for size in tensor.shape)
            for name, tensor in captured.model.inputs.items()
        }
        (folder / SHAPES).write_bytes(msgspec.json.encode(shapes))
        names = [output_names.inside(name, captured.model.inputs) for name in captured.model.outputs]
        (folder / OUTPUTS).write_bytes(msgspec.json.encode(names))
        if target.precision == BF16:
            (folder / BF16).touch()
        return lowered


def _lower(captured: Captured, target: Target, path: Path) -> Lowered:
    """Write the network to the ONNX file `path`.

    Raise BuildError that names the model and the target, GateError with the figures.
    """
    opset = OPSET if target.precision == "int8" else captured.own_opset or OPSET
    toolchain = {"openvino": session.version()}
    if target.precision == "int8":
        from edgefn.compile.lower.openvino.int8 import ENGINE
        from edgefn.compile.quantize import int8

        with tempfile.TemporaryDirectory(prefix="edgefn-openvino-") as scratch:
            converted = _converted(captured, opset, Path(scratch))
            _check(converted, captured, target)
            made, counted = int8.lowered(captured, target, converted, path, OPSET, ENGINE)
        mending.mend(path)
        _screen(path, captured, target)
        return Lowered(toolchain | {"int8": made.recipe}, OPSET, counted, made.kept, made.share.rounded)
    converted = _converted(captured, opset, path.parent)
    mending.mend(converted)
    _check(converted, captured, target)
    _screen(converted, captured, target)
    if target.precision == "bf16":
        _check_bfloat(converted, captured, target)
    return Lowered(toolchain, opset)


def _converted(captured: Captured, opset: int, folder: Path) -> Path:
    """Return the network's file in `folder`, with steps that openvino has."""
    source = captured.onnx(opset)
    for file in source.parent.glob(f"{source.name}*"):  # past the limit of its format the weights lie beside it
        shutil.copyfile(file, folder / file.name)
    transforms.convert(folder / source.name, captured.model)
    return folder / source.name


def _check_bfloat(source: Path, captured: Captured, target: Target) -> None:
    """Raise GateError unless openvino runs layers of the network in bfloat16 on this machine.

    Otherwise the samples would prove nothing about bfloat16.
    """
    from edgefn.backends.openvino.session import BFLOAT, compiled, executed, read
    from edgefn.compile.lower.openvino.int8 import WEIGHTED

    model = read(source)
    model.reshape(
        {
            name: [captured.sizes.get(size, 1) if isinstance(size, str) else size for size in tensor.shape]
            for name, tensor in captured.model.inputs.items()
        }
    )
    run: dict[str, int] = {}
    with suppress(BundleError):  # some CPUs without it refuse, others compute in float32
        run = executed(compiled(model, precision=BFLOAT), WEIGHTED, (BFLOAT,))
    if not run:
        raise GateError(
            f"{target} of model {captured.model.name}: openvino {session.version()} runs none of its layers in "
            "bfloat16 on this machine: build it on a CPU with avx512_bf16 or amx_bf16, or leave out the target"
        )


def _screen(path: Path, captured: Captured, target: Target) -> None:
    """Raise BuildError where openvino computes a step differently from its definition.

    The difference may appear only for some kinds of numbers.
    """
    import onnx

    from edgefn.compile.lower.screening.screen import screen

    found = screen(onnx.load(path, load_external_data=False), captured.sizes, session.tried)
    if found.wrong:
        raise BuildError(
            f"{target} of model {captured.model.name}: openvino {session.version()} computes a step differently from "
            f"PyTorch: {found.wrong}; leave out the target, or write the network with other operators"
        )
    mending.keep_numbers(path, found.losing)


def _check(source: Path, captured: Captured, target: Target) -> None:
    try:
        core().read_model(source)
    except RuntimeError as error:
        what = _complaint(error)
        raise BuildError(
            f"{target} of model {captured.model.name}: openvino {session.version()} cannot convert it: {what}; leave "
            "out the target, or write the network with other operators"
        ) from error


def _complaint(error: RuntimeError) -> str:
    """Return the steps that the error names, and its reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next(
        (line for line in lines if "not supported" in line or "No conversion" in line), lines[-1] if lines else ""
    )
    named = re.search(r"Conversion is failed for: (.+)", str(error))
    return f"{named[1].strip()}: {said}" if named and named[0] not in said else said
