"""A function as a user wrote it: built, deployed, and held against eager PyTorch by an oracle of the tests' own.

The oracle shares no code with the gate: it imports the function's module, calls the builder, and runs the network.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgefn.bundle.oci.layout import Bundle, Layout
from edgefn.model import EdgeModel, models_of
from tests.edgefn.compile.outcome import Outcome

FUNCTIONS = Path(__file__).parent / "functions"
BUILD_S = 280.0


class Case:
    """A copy of a function's folder below `folder`, which is a project of its own."""

    def __init__(self, name: str, folder: Path, source: Path | None = None) -> None:
        self.name = name
        self.project = folder / "project"
        self.folder = self.project / name
        shutil.copytree(source or FUNCTIONS / name, self.folder)
        (self.project / "edgefn.toml").write_text('[project]\nname = "cases"\n')

    def edit(self, old: str, new: str) -> None:
        """Replace the text `old` of the function's module, which must be there."""
        path = self.folder / f"{self.name}.py"
        text = path.read_text()
        assert old in text, f"{path.name} has no {old!r}"
        path.write_text(text.replace(old, new))

    def build(self, *options: str) -> Outcome:
        """Build the function in a process of its own, as the CLI does; the outcome may be a refusal."""
        command = [sys.executable, "-m", "edgefn.compile", str(self.folder), "--output", str(self.layout.path)]
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=BUILD_S, check=False, stdin=subprocess.DEVNULL
        )
        return Outcome(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)

    def built(self, *options: str) -> Outcome:
        """Build the function; fails the test with the reason when it does not build."""
        outcome = self.build(*options)
        assert outcome.last["event"] == "built", f"{self.name}: {outcome.last}\n{outcome.stderr[-4000:]}"
        return outcome

    @property
    def layout(self) -> Layout:
        return Layout(self.project / "layout")

    @property
    def bundle(self) -> Bundle:
        """The bundle that `build` wrote last."""
        return self.layout.open(self.name)

    @cached_property
    def module(self) -> ModuleType:
        """The function's module, imported anew."""
        spec = importlib.util.spec_from_file_location(f"case_{self.name}", self.folder / f"{self.name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    @cached_property
    def network(self) -> Any:
        """The network in eval mode, as the builder returns it."""
        import torch

        torch.manual_seed(0)
        torch.set_num_threads(1)  # as in a build: a builder that trains learns the same weights
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what users' builders warn of is theirs
            return self.model.builder().eval()

    @property
    def model(self) -> EdgeModel:
        (model,) = models_of(self.module).values()
        return model

    def eager(self, inputs: Mapping[str, NDArray[Any]]) -> Any:
        """What the network gives in eager PyTorch for `inputs`, in the order of the declaration; arrays for tensors."""
        import torch

        network = self.network  # built here: its builder may train
        with torch.no_grad():
            result = network(*(torch.from_numpy(np.array(inputs[name])) for name in self.model.spec.inputs))
        return _arrays(result)


def _arrays(result: Any) -> Any:
    if isinstance(result, Mapping):
        return {name: _arrays(value) for name, value in result.items()}
    if isinstance(result, tuple | list):
        return [_arrays(value) for value in result]
    return result.numpy() if hasattr(result, "numpy") else result
