"""A small network in each form that a builder may name, and builders that lie in a folder as a user's do."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from edgefn import backends
from edgefn.compile import lower
from edgefn.compile.capture.capture import capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.compile.files.opening import CapturesItself
from edgefn.spec import ModelSpec, TensorSpec
from edgefn.targets.profiles import target

FILES = {"scripted": "net.pt", "traced": "net.ts", "program": "net.pt2", "onnx": "net.onnx"}
SPEC = ModelSpec("net", {"x": TensorSpec("float32", ("batch", 4))})


class Net(nn.Module):
    """Two layers, and a step that depends on the size of what comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.second = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.second(torch.relu(self.first(x)))
        return found.reshape(x.shape[0], 3)


def network() -> Net:
    torch.manual_seed(3)
    return Net().eval()


def write(kind: str, folder: Path, module: nn.Module | None = None) -> Path:
    """The network as a file of that kind, its rows free."""
    path, module = folder / FILES[kind], module or network()
    example = torch.rand(2, 4)
    if kind == "scripted":
        torch.jit.save(torch.jit.script(module), str(path))
    elif kind == "traced":
        torch.jit.save(torch.jit.trace(module, example), str(path))  # type: ignore[no-untyped-call]
    elif kind == "program":
        torch.export.save(exported(module, example), path)
    else:
        onnx.save(as_onnx(), path)
    return path


def exported(module: nn.Module, example: torch.Tensor, **limits: int) -> torch.export.ExportedProgram:
    return torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim("rows", **limits)},))


def as_onnx(opset: int = 17, x: str = "x", y: str = "y", rows: int | str = "rows") -> onnx.ModelProto:
    """The network in ONNX, written node by node as no exporter of ours does."""
    weights = {name: tensor.detach().numpy() for name, tensor in network().named_parameters()}
    constants = [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()]
    nodes = [
        helper.make_node("Gemm", [x, "first.weight", "first.bias"], ["a"], transB=1),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "second.weight", "second.bias"], [y], transB=1),
    ]
    return model_of(nodes, {x: ("float32", (rows, 4))}, {y: ("float32", (rows, 3))}, constants, opset)


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: Mapping[str, tuple[str, Any]],
    outputs: Mapping[str, tuple[str, Any]],
    constants: list[TensorProto] | None = None,
    opset: int = 17,
    domains: tuple[str, ...] = (),
) -> onnx.ModelProto:
    def infos(tensors: Mapping[str, tuple[str, Any]]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
            for name, (dtype, shape) in tensors.items()
        ]

    graph = helper.make_graph(nodes, "graph", infos(inputs), infos(outputs), constants or [])
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def builder_of(folder: Path, returned: str) -> Callable[[], Any]:
    """A builder in a module of `folder` that returns what the expression says."""
    # A name of its own: Python takes a module that was rewritten within its clock's second for the one before.
    source = folder / f"function_{len(list(folder.iterdir()))}_{abs(hash(returned))}.py"
    source.write_text(f"import torch\nfrom pathlib import Path\n\ndef net():\n    return {returned}\n")
    spec = importlib.util.spec_from_file_location("door_function", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    built: Callable[[], Any] = module.net
    return built


def session_of(path: Path, spec: ModelSpec = SPEC) -> EagerSession:
    """The file as the build runs it; its builder returns its name."""
    return EagerSession(builder_of(path.parent, f"Path({path.name!r})"), spec)


def captured(session: EagerSession, sizes: Mapping[str, int]) -> Any:
    network = session.network
    return network.captured(sizes) if isinstance(network, CapturesItself) else capture(session, sizes)


def portable(session: EagerSession, folder: Path, sizes: Mapping[str, int]) -> tuple[Any, Any]:
    """What was captured, and a session of its portable artifact, finished as a box does."""
    caught = captured(session, sizes)
    backend = backends.get("onnxruntime")
    lower.get("onnxruntime").lower(caught, target("portable/fp32"), folder / "portable")
    backend.finish(folder / "portable", folder / "finished")
    return caught, backend.load(folder / "finished")


def rows(count: int) -> dict[str, Any]:
    return {"x": np.random.default_rng(count).standard_normal((count, 4)).astype(np.float32)}


def close(found: Any, wanted: Any) -> None:
    """Fails unless two float32 results of one network are the same but for the order of its sums."""
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=2e-6)
