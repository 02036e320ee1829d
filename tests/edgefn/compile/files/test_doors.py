"""Each kind of model file: its own answers are the reference, and the portable artifact gives them at any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from edgefn import edge_model, tensor
from edgefn.compile.capture.eager import EagerSession
from edgefn.compile.files.script_graph import ScriptGraph
from edgefn.spec import ModelSpec, TensorSpec
from tests.edgefn.compile.files import doors

pytestmark = [
    pytest.mark.needs_torch,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),  # which is what people still have
]


@pytest.mark.parametrize("kind", doors.FILES)
def test_a_file_gives_its_own_answers_and_so_does_its_portable_artifact(kind: str, tmp_path: Path) -> None:
    """At sizes that no sample has, one row among them, the file is as the network, and the artifact as the file."""
    session = doors.session_of(doors.write(kind, tmp_path))
    caught, artifact = doors.portable(session, tmp_path, {"batch": 2})
    assert [str(one) for one in caught.model.outputs.values()] == ["float32[batch, 3]"]
    for count in (1, 2, 7):
        inputs = doors.rows(count)
        with torch.no_grad():
            wanted = doors.network()(torch.from_numpy(inputs["x"])).numpy()
        (file,) = session.run(inputs).values()
        (served,) = artifact.run(inputs).values()
        doors.close(file, wanted)
        doors.close(served, file)


@pytest.mark.parametrize("kind", doors.FILES)
def test_a_model_of_a_file_is_called_as_any_other(kind: str, tmp_path: Path) -> None:
    """Outside a build, as in a notebook, the decorated builder runs the file."""
    name = doors.write(kind, tmp_path).name
    model = edge_model(inputs={"x": tensor("float32", "batch", 4)})(doors.builder_of(tmp_path, f"Path({name!r})"))
    inputs = doors.rows(3)
    with torch.no_grad():
        wanted = doors.network()(torch.from_numpy(inputs["x"])).numpy()
    doors.close(model(**inputs), wanted)


@pytest.mark.parametrize(
    "returned",
    ["torch.jit.load(Path(__file__).parent / 'net.pt')", "torch.export.load(Path(__file__).parent / 'net.pt2')"],
)
def test_a_builder_may_return_what_it_has_loaded(returned: str, tmp_path: Path) -> None:
    """A ScriptModule and an ExportedProgram are taken as their files are."""
    doors.write("scripted", tmp_path)
    doors.write("program", tmp_path)
    session = EagerSession(doors.builder_of(tmp_path, returned), doors.SPEC)
    inputs = doors.rows(5)
    with torch.no_grad():
        wanted = doors.network()(torch.from_numpy(inputs["x"])).numpy()
    (found,) = session.run(inputs).values()
    doors.close(found, wanted)


class Branches(nn.Module):
    """What only TorchScript keeps: a loop over a size, a branch on one, a dict that comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        total = x
        for layer in self.layers:
            total = torch.relu(layer(total)) + x
        if x.dim() == 2:
            for column in range(x.shape[1]):
                total = total + x[:, column : column + 1]
        left, right = total.chunk(2, dim=1)
        return {"left": left, "right": torch.cat([right, left * 2], 1)}


class Encoder(nn.Module):
    """A layer of a transformer, which a trace made without gradients keeps fused."""

    def __init__(self, norm_first: bool) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first, activation="gelu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layer(x)
        return found


def held(script: torch.jit.ScriptModule, spec: ModelSpec, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The artifact's answers, which are the script's."""
    torch.jit.save(script, str(folder / "net.pt"))
    session = doors.session_of(folder / "net.pt", spec)
    _, artifact = doors.portable(session, folder, {"batch": 2, "length": 5})
    wanted: dict[str, Any] = session.run(inputs)
    served: dict[str, Any] = artifact.run(inputs)
    assert wanted.keys() == served.keys()
    for name in wanted:
        doors.close(served[name], wanted[name])
    return served


def test_a_script_keeps_its_loops_and_branches(tmp_path: Path) -> None:
    """Control flow on sizes and dicts are followed, and outputs have the names of the dict."""
    torch.manual_seed(0)
    script = torch.jit.script(Branches().eval())
    assert set(held(script, doors.SPEC, doors.rows(6), tmp_path)) == {"left", "right"}


def traced(module: nn.Module) -> Any:
    with torch.no_grad():
        return torch.jit.trace(module, torch.rand(2, 5, 8), check_trace=False)  # type: ignore[no-untyped-call]


def test_fused_attention_of_a_trace_is_written_out(tmp_path: Path) -> None:
    """A transformer that was traced without gradients exports, with its batch and its length free."""
    torch.manual_seed(0)
    spec = ModelSpec("net", {"x": TensorSpec("float32", ("batch", "length", 8))})
    script = traced(Encoder(norm_first=False).eval())
    assert "_transformer_encoder_layer_fwd" in str(script.inlined_graph)
    held(script, spec, {"x": np.random.default_rng(0).random((1, 9, 8), np.float32)}, tmp_path)


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_python_form_of_a_script_is_the_script(norm_first: bool) -> None:
    """Run node by node, a fused transformer gives what torch.jit gives, at another size than it was traced with."""
    torch.manual_seed(0)
    script = traced(Encoder(norm_first).eval())
    x = torch.rand(3, 7, 8)
    with torch.no_grad():
        torch.testing.assert_close(ScriptGraph(script, ["x"], "net")(x), script(x))


def test_safetensors_are_loaded_by_the_builder(tmp_path: Path) -> None:
    """A builder that fills a network from safetensors gives the network that was saved."""
    save_file(doors.network().state_dict(), tmp_path / "net.safetensors")

    def net() -> nn.Module:
        module = doors.Net()
        module.load_state_dict(load_file(tmp_path / "net.safetensors"))
        return module

    inputs = doors.rows(3)
    with torch.no_grad():
        wanted = doors.network()(torch.from_numpy(inputs["x"])).numpy()
    (found,) = EagerSession(net, doors.SPEC).run(inputs).values()
    doors.close(found, wanted)
