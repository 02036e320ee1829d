"""The dtypes and dimensions of what an ONNX file gives: claimed by ONNX Runtime or by the file, and seen in runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgefn.compile.capture import examples
from edgefn.compile.files import onnx_source
from edgefn.errors import BuildError
from edgefn.spec import Dimension, TensorSpec

if TYPE_CHECKING:
    import torch

    from edgefn.compile.files.onnx_network import OnnxNetwork

Claim = int | str | None


class SeenLength(NamedTuple):
    """One dimension of an output in a run, and the sizes of the inputs' free dimensions in that run."""

    sizes: Mapping[str, int]
    size: int


def output_specs(normalised: Path, network: OnnxNetwork, sizes: Mapping[str, int]) -> dict[str, TensorSpec]:
    """Return the specs of the outputs of `network` by name.

    A dimension that is none of the inputs' gets a name of its own. `normalised` is the network's file with our names
    and without the outputs' shapes. Raises BuildError if the file does not run.
    """
    inferred = {one.name: one.shape for one in onnx_source.session(normalised, network.spec.name).get_outputs()}
    runs = list(_runs(network, sizes))
    words = _words(network)
    specs = {}
    for name, given in network.outputs.items():
        shapes = [(known, tuple(outputs[name].shape)) for known, outputs in runs]
        rank = len(shapes[0][1])
        told = onnx_source.outputs(network.proto, network.spec.name)[given].shape or ()
        claims = (_padded(inferred[name], rank), _padded([words.get(str(one), one) for one in told], rank))
        seen = [
            [SeenLength(known, shape[axis]) for known, shape in shapes if len(shape) == rank] for axis in range(rank)
        ]
        shape = tuple(
            _dimension([claim[axis] for claim in claims], seen[axis], f"{name}_{axis}") for axis in range(rank)
        )
        specs[name] = TensorSpec(str(runs[0][1][name].dtype).removeprefix("torch."), shape)
    return specs


def _dimension(claims: Iterable[Claim], seen: Sequence[SeenLength], name: str) -> Dimension:
    """Return the first claim that every run confirms; else `name`, for a size without such a claim."""
    for claim in claims:
        if claim is not None and all(
            one.size == (one.sizes.get(claim) if isinstance(claim, str) else claim) for one in seen
        ):
            return claim
    return name


def _padded(claims: Sequence[Claim], rank: int) -> Sequence[Claim]:
    return claims if len(claims) == rank else [None] * rank


def _words(network: OnnxNetwork) -> dict[str, str]:
    """Return our names of the free dimensions by the file's."""
    return {
        size: declared
        for name, given in network.inputs.items()
        for size, declared in zip(network.found[given].shape or (), network.spec.inputs[name].shape, strict=False)
        if isinstance(size, str) and isinstance(declared, str)
    }


def _runs(
    network: OnnxNetwork, sizes: Mapping[str, int]
) -> Iterator[tuple[dict[str, int], Mapping[str, torch.Tensor]]]:
    """Yield a run with the samples' sizes, and one with each free dimension grown by its own number.

    The second run is left out if the network does not take those sizes.
    """
    symbols = dict.fromkeys(
        size for tensor in network.spec.inputs.values() for size in tensor.shape if isinstance(size, str)
    )
    first = {symbol: max(examples.SMALLEST, sizes.get(symbol, 0)) for symbol in symbols}
    yield first, network(*examples.zeros(network.spec, first))
    second = {symbol: size + 1 + number for number, (symbol, size) in enumerate(first.items())}
    if second:
        try:
            yield second, network(*examples.zeros(network.spec, second))
        except BuildError:  # it has a largest size, or takes multiples only: one run must do
            return
