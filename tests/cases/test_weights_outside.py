"""New weights are a new build, wherever they lie and whatever reads them; what no key knows is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn.bundle.config import CODE_TYPE
from edgefn.bundle.oci.layout import Bundle, Layout
from tests.cases.case import BUILD_S, Case
from tests.e2e.box import RunningBox

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(900)]


def train(path: Path, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """Write the checkpoint of another training run; returns what its network answers."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    state = {"weight": torch.randn(2, 8, generator=generator), "bias": torch.randn(2, generator=generator)}
    path.parent.mkdir(exist_ok=True)
    torch.save(state, path)
    weight, bias = state["weight"].numpy(), state["bias"].numpy()
    return lambda x: np.asarray(x @ weight.T + bias)


@pytest.mark.long
def test_a_checkpoint_outside_is_refused_until_it_is_named_and_then_served_anew(
    tmp_path: Path, box: RunningBox
) -> None:
    """The refusal has the line to add; with it, the same weights are the same bundle and new ones give new answers."""
    case = Case("weights_outside", tmp_path)
    checkpoint, x = case.project / "weights_runs" / "best.pth", np.random.default_rng(9).random((3, 8), np.float32)
    answer = train(checkpoint, 1)
    refused = case.build()
    assert (refused.exit_code, refused.last["error"]) == (8, "BuildError")
    assert refused.last["detail"] == (
        f"model net: its builder reads {checkpoint}, which the build does not watch: it would miss new weights "
        'there. Add to @edge_model of net: weights="../weights_runs/best.pth"'
    )
    assert refused.last["trace"] == ""

    case.edit("samples=lambda", 'weights="../weights_runs/best.pth", samples=lambda')
    digests = [serves(case, box, x, answer)]
    assert case.built().last["cached"]
    digests.append(serves(case, box, x, train(checkpoint, 2)))
    assert len(set(digests)) == 2
    train(checkpoint, 1)
    assert case.built().last["digest"] == digests[0], "the weights of before are the bundle of before"
    checkpoint.unlink()
    missing = case.build()
    assert f"there is no {checkpoint}" in missing.last["detail"]


def serves(case: Case, box: RunningBox, x: np.ndarray, answer: Callable[[np.ndarray], np.ndarray]) -> str:
    """Build and deploy; the box answers as the weights do. Returns the bundle's digest."""
    digest: str = case.built().last["digest"]
    box.deploy(case.bundle)
    np.testing.assert_allclose(box.call(case.name, x=x.tolist()), answer(x), rtol=1e-4, atol=1e-5)
    return digest


SOURCE = '''
"""Adds numbers that lie in all places that a key could miss, each read in another way."""
from pathlib import Path
from typing import Annotated
import numpy as np
from edgefn import edge_function, edge_model, tensor

HERE = Path(__file__).resolve().parent

@edge_model(
    inputs={"x": tensor("float32", "batch", 1)},
    samples=lambda: [{"x": np.ones((1, 1), np.float32)}],
    weights=["samples/under.npy", ".hidden.npy", "../runs/*.pt", "../runs/rows.db", "~/.cache/torch/hub", "named.npy"],
)
def total():
    import sqlite3
    import torch

    class Total(torch.nn.Module):
        def __init__(self):
            super().__init__()
            hub = Path.home() / ".cache/torch/hub/checkpoints/net.npy"
            arrays = [HERE / "inside.npy", HERE / "named.npy", HERE / "samples/under.npy", HERE / ".hidden.npy", hub]
            native = float(torch.jit.load(str(HERE / "../runs/native.pt"))(torch.zeros(())))
            row = sqlite3.connect(HERE / "../runs/rows.db").execute("select value from rows").fetchone()[0]
            self.shift = torch.nn.Parameter(torch.tensor(sum(float(np.load(one)) for one in arrays) + native + row))

        def forward(self, x):
            return x + self.shift

    return Total()

@edge_function(memory="256MiB", timeout="5s")
def everywhere(x: Annotated[np.ndarray, tensor("float32", "batch", 1)]) -> np.ndarray:
    return total(x=x)
'''


class Everywhere:
    """The function `everywhere` with its seven files of numbers."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "project" / "everywhere"
        self.home = root / "home"
        self.layout = Layout(root / "project" / "layout")
        for folder in (self.folder / "samples", root / "project" / "runs", self.home / ".cache/torch/hub/checkpoints"):
            folder.mkdir(parents=True)
        (root / "project" / "edgefn.toml").write_text('[project]\nname = "weights"\n')
        (self.folder / "everywhere.py").write_text(SOURCE)
        self.files = {
            "in the folder": self.folder / "inside.npy",
            "in the folder and named": self.folder / "named.npy",
            "under samples": self.folder / "samples" / "under.npy",
            "a dotfile": self.folder / ".hidden.npy",
            "in a hub's cache": self.home / ".cache/torch/hub/checkpoints/net.npy",
            "TorchScript, read by C++": root / "project" / "runs" / "native.pt",
            "a database, read by C": root / "project" / "runs" / "rows.db",
        }

    def write(self, kind: str, value: float) -> None:
        import sqlite3

        path = self.files[kind]
        if path.suffix == ".npy":
            np.save(path, np.float64(value))
        elif path.suffix == ".pt":
            script(path, value)
        else:
            path.unlink(missing_ok=True)
            with sqlite3.connect(path) as database:
                database.execute("create table rows (value)")
                database.execute("insert into rows values (?)", [value])
            database.close()

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "edgefn.compile", str(self.folder), "--output", str(self.layout.path)]
        environment = os.environ | {"HOME": str(self.home)}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)

    def built(self) -> dict[str, Any]:
        said, _ = self.start().communicate(timeout=BUILD_S)
        last: dict[str, Any] = json.loads(said.splitlines()[-1])
        assert last["event"] == "built", last
        return last

    def would_serve_already(self) -> bool:
        """Whether a build finds nothing to do; one that does is ended as it begins."""
        with self.start() as process:
            assert process.stdout
            first = json.loads(process.stdout.readline())
            process.terminate()
        return bool(first["event"] == "built")


def script(path: Path, value: float) -> None:
    """Write a TorchScript file whose forward() adds `value`."""
    import torch

    class Shift(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + value

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch deprecates the format, which people have files in
        trace: Any = torch.jit.trace
        torch.jit.save(trace(Shift(), torch.zeros(())), path)


@pytest.mark.long
def test_a_new_file_is_a_new_build_wherever_it_lies(tmp_path: Path, box: RunningBox) -> None:
    """Each of seven kinds by itself makes a build of its own; with all of them new the box gives the new answer."""
    made = Everywhere(tmp_path)
    for number, kind in enumerate(made.files):
        made.write(kind, 2.0**number)
    first = made.built()
    box.deploy(made.layout.open("everywhere"))
    assert box.call("everywhere", x=[[0.5]]) == [[127.5]]
    assert made.would_serve_already()
    for kind, path in made.files.items():
        before = path.read_bytes()
        made.write(kind, 1000.0)
        assert not made.would_serve_already(), kind
        path.write_bytes(before)
    assert made.would_serve_already()
    for kind in made.files:
        made.write(kind, 3.0)
    assert made.built()["digest"] != first["digest"]
    bundle = made.layout.open("everywhere")
    box.deploy(bundle)
    assert box.call("everywhere", x=[[0.5]]) == [[21.5]]
    assert code_of(bundle) == {"everywhere.py", "inside.npy"}, "a box has no use for named weights"


def code_of(bundle: Bundle) -> set[str]:
    """The files of the bundle's code layer."""
    (layer,) = (each for each in bundle.layers if each.media_type == CODE_TYPE)
    with tarfile.open(bundle.blob_path(layer.digest)) as archive:
        return {Path(each.name).name for each in archive if each.isfile()}
