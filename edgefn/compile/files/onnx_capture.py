"""An `.onnx` file as the source of artifacts: names and dimensions as declared, its opset the one that is asked for.

Satisfies `edgefn.compile.lower.lowering.Captured`, but for `program`: there is none, and who asks for it is told so.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from edgefn.accuracy.bound import Bound
from edgefn.accuracy.rules import Judging
from edgefn.compile.files import external, onnx_shapes, onnx_source
from edgefn.compile.onnx import file
from edgefn.errors import BuildError
from edgefn.golden import GoldenSample
from edgefn.quantization import Quantize
from edgefn.spec import ModelSpec

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir
    import torch

    from edgefn.compile.files.onnx_network import OnnxNetwork
    from edgefn.session import Session

_FLOAT16 = 10  # TensorProto.FLOAT16

FILE = "network.onnx"
"""In a snapshot's folder."""

READ = (7, 23)
"""Opsets that every target's ONNX Runtime reads: a file of one of those is served as it is."""

PREFERRED = 20
"""What another file is converted to."""

MAX_IR = 10
"""The newest IR version that every supported box reads (ONNX Runtime 1.22); newer ones only add types."""


class OnnxCapture:
    """The normalised file at `path`, which nothing writes to. The attributes are those of `Captured`."""

    sizes: Mapping[str, int] = MappingProxyType({})
    calibration: Sequence[GoldenSample] = ()
    judges: Sequence[GoldenSample] = ()
    judging = Judging()
    bound: Bound | None = None
    quantize = Quantize()
    profiles: Path | None = None

    def __init__(self, model: ModelSpec, path: Path) -> None:
        self.model = model
        self._path = path
        self._folder = Path(tempfile.mkdtemp(prefix="edgefn-capture-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    @classmethod
    def of(cls, network: OnnxNetwork, sizes: Mapping[str, int]) -> OnnxCapture:
        """Make the capture of `network`; ONNX Runtime finds the outputs' dtypes and dimensions.

        Raises BuildError for outputs that are declared otherwise, and if ONNX Runtime does not load the result.
        """
        capture = cls(network.spec, Path())
        capture._path = capture._folder / FILE
        file.save(_normalised(network), capture._path)
        found = onnx_shapes.output_specs(capture._path, network, sizes)
        capture.model = msgspec.structs.replace(network.spec, outputs=found)
        return capture

    @property
    def own_opset(self) -> int:
        """Return the file's opset, which float artifacts keep.

        If no target reads that opset, return the one that the file is converted to.
        """
        own = onnx_source.opset(onnx_source.read(self._path, self.model.name))
        return own if READ[0] <= own <= READ[1] else PREFERRED

    @property
    def coarse(self) -> str:
        """Return the precision that the file itself computes in, where that is less than float32's."""
        graph = onnx_source.read(self._path, self.model.name).graph
        if any(node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") for node in graph.node):
            return "int8"
        return "fp16" if any(tensor.data_type == _FLOAT16 for tensor in graph.initializer) else ""

    @property
    def program(self) -> torch.export.ExportedProgram:
        """Raise BuildError: an ONNX file has no program of PyTorch."""
        raise no_program(self.model.name)

    def onnx(self, opset: int | None = None) -> Path:
        """Write `model.onnx` of that opset, or of the file's own, and return its path.

        Raises BuildError if ONNX does not convert the file.
        """
        proto = onnx_source.read(self._path, self.model.name)
        own = onnx_source.opset(proto)
        path = self._folder / f"opset-{opset or own}" / "model.onnx"
        path.parent.mkdir(exist_ok=True)
        if opset in (None, own):
            copy(self._path, path)
        else:
            file.save(_converted(proto, self._path, opset, self.model.name), path)
        return path

    def shared(self, name: str, fill: Callable[[Path], object]) -> Path:
        """Let `fill` write a new folder, and return the folder."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._folder))
        fill(folder)
        return folder

    def session(self) -> Session:
        """Open an ONNX Runtime session of the file, with nothing optimised."""
        from edgefn.backends.onnxruntime import OnnxSession

        return OnnxSession(onnx_source.session(self._path, self.model.name))

    def save(self, folder: Path) -> int:
        """Save the file in `folder` as FILE, and return its size in bytes, weights included.

        `OnnxCapture` can be made again from it.
        """
        copy(self._path, folder / FILE)
        return sum(file.stat().st_size for file in folder.glob(f"{FILE}*"))


def no_program(model: str) -> BuildError:
    """Make the error for a backend that compiles PyTorch programs."""
    return BuildError(
        f"model {model}: its file is ONNX, and this target compiles programs of PyTorch: leave the target out of "
        "--target, or let the builder return the network, or a program of torch.export.save"
    )


def copy(source: Path, path: Path) -> None:
    """Copy the file `source`, and its weights in the file beside it, to `path`."""
    shutil.copyfile(source, path)
    data = source.with_name(f"{source.name}.data")
    if data.exists():  # written by onnx.file.save, which is asked again so that the location has the new name
        import onnx_ir as ir

        file.save(ir.load(source), path)


def _normalised(network: OnnxNetwork) -> ir.Model:
    """Normalise the file: our names and dimensions, and no noise.

    Its functions are inlined, and its defaults are no inputs.
    """
    import onnx_ir as ir
    from onnx_ir.passes import common

    model = ir.external_data.load_to_model(ir.load(network.path))
    common.InlinePass()(model)
    common.RemoveInitializersFromInputsPass()(model)
    common.OutputFixPass()(model)
    spec, graph = network.spec, model.graph
    values = dict(zip(network.found, graph.inputs, strict=True))
    by_output = {given: name for name, given in network.outputs.items()}
    wanted = {values[given]: name for name, given in network.inputs.items()}
    wanted |= {
        value: by_output[given.name] for value, given in zip(graph.outputs, network.proto.graph.output, strict=True)
    }
    _rename(graph, wanted)
    for node in graph.all_nodes():
        for value in node.outputs:
            value.shape = None  # what the exporter saw, which may hold for its example alone
    for value in graph.inputs:
        value.shape = ir.Shape(spec.inputs[value.name or ""].shape)
    order = {value.name: value for value in graph.inputs}
    graph.inputs[:] = [order[name] for name in spec.inputs]
    ordered = {value.name: value for value in graph.outputs}
    graph.outputs[:] = [ordered[name] for name in network.outputs]
    model.ir_version = min(model.ir_version, MAX_IR)
    file.strip(model, {})
    return model


def _rename(graph: ir.Graph, wanted: Mapping[ir.Value, str]) -> None:
    """Give each value the wanted name.

    Another value that had this name gets a new one, unique in the graph and in all graphs below it.
    """
    held = [value for value in _values(graph) if value not in wanted]
    taken = {value.name for value in held} | set(wanted.values())
    for value in held:
        if value.name in set(wanted.values()):
            number = 0
            while f"{value.name}.{number}" in taken:
                number += 1
            value.name = f"{value.name}.{number}"
            taken.add(value.name)
    for number, value in enumerate(wanted):  # two may swap their names
        value.name = f"edgefn.moving.{number}"
    for value, name in wanted.items():
        value.name = name


def _values(graph: Any) -> Iterable[ir.Value]:
    found: dict[ir.Value, None] = {}
    for part in (graph, *graph.subgraphs()):
        found |= dict.fromkeys((*part.inputs, *part.initializers.values()))
        found |= dict.fromkeys(value for node in part for value in node.outputs)
    return found


def _converted(proto: onnx.ModelProto, path: Path, opset: int, name: str) -> ir.Model:
    import onnx
    import onnx_ir as ir
    from onnx import version_converter

    if any(True for _ in external.files(proto, path)):
        raise BuildError(
            f"model {name}: its ONNX file has opset {onnx_source.opset(proto)} and weights of over 1.5 GiB, which are "
            f"not converted to the opset {opset} of this target: export it with opset_version={opset}"
        )
    try:
        converted = version_converter.convert_version(proto, opset)
    except Exception as error:  # the converter raises what its C++ raises
        raise BuildError(
            f"model {name}: ONNX does not convert its file from opset {onnx_source.opset(proto)} to {opset}: "
            f"{onnx_source.complaint(error)}; export it with opset_version={opset}, or leave this target out"
        ) from error
    converted.ir_version = min(max(converted.ir_version, proto.ir_version), MAX_IR)
    return ir.from_proto(onnx.shape_inference.infer_shapes(converted))
