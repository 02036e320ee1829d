"""What static quantisation found for one network: the ranges of its activations and the integers of its layers.

It is the same for every engine that reads ONNX, and takes a minute or more to find, so it can be kept as files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgefn.compile.quantize.graph.graph import Graph
from edgefn.compile.quantize.static import qdq
from edgefn.compile.quantize.static.compensation import Rounded
from edgefn.compile.quantize.static.ranges import ValueRange

if TYPE_CHECKING:
    import onnx

_MODEL, _FOUND = "float.onnx", "found.npz"


class Fit(NamedTuple):
    """The float `model`, ranges by tensor, integers by layer; layers `kept` and nodes `floating` stay in float.

    `noise` is the error that rounding adds to each layer's output, over that output's variance: the noisiest layers may
    go back to float.
    """

    model: onnx.ModelProto
    ranges: Mapping[str, ValueRange]
    layers: Mapping[str, Rounded]
    kept: tuple[str, ...]
    floating: tuple[str, ...] = ()
    noise: Mapping[str, float] = {}

    @property
    def names(self) -> list[str]:
        """Return the layers that may be int8, in the order in which they run."""
        return [layer.name for layer in Graph(self.model).layers if layer.name not in self.kept]

    def written(self, kept: Sequence[str] = ()) -> onnx.ModelProto:
        """Make the quantised file, with the layers named in `kept` and those of `self.kept` in float."""
        return qdq.written(self.model, self.ranges, self.layers, (*self.kept, *self.floating, *kept))


def write(fit: Fit, folder: Path) -> None:
    """Write the fit into `folder`."""
    import onnx

    onnx.save(fit.model, folder / _MODEL)
    arrays = {f"range/{name}": np.array(within, np.float64) for name, within in fit.ranges.items()}
    for name, rounded in fit.layers.items():
        arrays |= {f"layer/{field}/{name}": value for field, value in rounded._asdict().items()}
    arrays |= {f"noise/{name}": np.array(noise) for name, noise in fit.noise.items()}
    with (folder / _FOUND).open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            kept=np.array(fit.kept, np.str_),
            floating=np.array(fit.floating, np.str_),
            **arrays,
        )


def read(folder: Path) -> Fit:
    """Read the fit that `write` put into `folder`."""
    import onnx

    ranges: dict[str, ValueRange] = {}
    noise: dict[str, float] = {}
    layers: dict[str, dict[str, np.ndarray]] = {}
    with np.load(folder / _FOUND) as found:
        for key in found.files:
            kind, _, rest = key.partition("/")
            if kind == "range":
                ranges[rest] = ValueRange(*map(float, found[key]))
            elif kind == "noise":
                noise[rest] = float(found[key])
            elif kind == "layer":
                field, _, name = rest.partition("/")
                layers.setdefault(name, {})[field] = found[key]
        kept, floating = (tuple(map(str, found[side])) for side in ("kept", "floating"))
    model = onnx.load(folder / _MODEL)
    return Fit(model, ranges, {name: Rounded(**fields) for name, fields in layers.items()}, kept, floating, noise)
