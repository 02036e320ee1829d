"""ONNX networks written as text, with weights of their own, as the quantiser is given them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
from numpy.typing import NDArray

from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import Judging
from edgefn.compile.quantize.engine import opened
from edgefn.golden import GoldenSample
from edgefn.quantization import Quantize
from edgefn.spec import ModelSpec, TensorSpec

Arrays = Mapping[str, NDArray[Any]]
LOOSE = Accuracy(error=100.0)


def network(text: str, constants: Arrays, opsets: str = '"" : 20') -> onnx.ModelProto:
    """The model whose graph is `text`, in ONNX's own notation; `constants` are its initializers."""
    model = onnx.parser.parse_model(f"<ir_version: 10, opset_import: [{opsets}]>\n{text}")
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type.lower()}_{number}"
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in constants.items())
    return model


def weights(seed: int = 0, **shapes: Sequence[int]) -> dict[str, NDArray[Any]]:
    """He's weights of such shapes [out, in, …]; a vector is a bias."""
    random = np.random.default_rng(seed)
    return {
        name: (random.standard_normal(shape) * (2 / math.prod(shape[1:])) ** 0.5).astype(np.float32)
        if len(shape) > 1
        else random.normal(0, 0.1, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


class Caught:
    """A network as a backend is given it: with calibration samples, whose outputs are those of the network in float."""

    def __init__(
        self, model: onnx.ModelProto, inputs: Sequence[Arrays], folder: Path, accuracy: Accuracy = LOOSE, **options: Any
    ) -> None:
        session = opened(model, {})
        self._path, self._folder = folder / "model.onnx", folder
        onnx.save(model, self._path)
        self.calibration = [GoldenSample(one, session.run(one)) for one in inputs]
        self.judges: list[GoldenSample] = []
        first = self.calibration[0]
        self.model = ModelSpec("net", {name: _spec(one) for name, one in first.inputs.items()})
        self.sizes: dict[str, int] = {}
        self.judging, self.quantize = Judging(accuracy=accuracy), Quantize(**options)
        self.bound = None
        self.own_opset: int | None = None
        self.profiles: Path | None = None

    @property
    def program(self) -> Any:
        raise NotImplementedError

    def onnx(self, opset: int | None = None) -> Path:
        return self._path

    def shared(self, name: str, fill: Callable[[Path], object]) -> Path:
        folder = self._folder / name
        if not folder.exists():
            folder.mkdir()
            fill(folder)
        return folder


def _spec(value: NDArray[Any]) -> TensorSpec:
    return TensorSpec(str(value.dtype), value.shape)


def error(model: onnx.ModelProto, entries: Mapping[str, str], samples: Sequence[GoldenSample]) -> dict[str, float]:
    """RMS(model - wanted) over how far what is wanted moves between samples, by output; in ONNX Runtime."""
    session = opened(model, entries)
    found = [session.run(one.inputs) for one in samples]
    errors = {}
    for name in samples[0].outputs:
        wanted, given = (
            np.stack(side).astype(np.float64)
            for side in ([one.outputs[name] for one in samples], [one[name] for one in found])
        )
        errors[name] = float(np.sqrt(np.square(given - wanted).mean() / wanted.var(axis=0).mean()))
    return errors
