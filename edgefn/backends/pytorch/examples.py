"""Example inputs of a model: what it is traced with, and what the trace is then held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgefn.backends.backend import Captured
    from edgefn.spec import Dimension, ModelSpec, TensorSpec

SMALLEST = 2
"""Of a symbolic dimension: networks treat one row as a special case (broadcasting), and so do tracers."""


def zeros(spec: ModelSpec, sizes: Mapping[str, int]) -> tuple[torch.Tensor, ...]:
    """A tensor of zeros for each input, its symbolic dimensions as large as in `sizes`, two at least."""
    return tuple(torch.zeros(_shape(one, sizes), dtype=_dtype(one)) for one in spec.inputs.values())


def larger(spec: ModelSpec, sizes: Mapping[str, int]) -> tuple[torch.Tensor, ...]:
    """Like `zeros`, each symbolic dimension larger by one; floats are random, the same ones each time."""
    generator = torch.Generator().manual_seed(0)

    def filled(one: TensorSpec) -> torch.Tensor:
        shape, dtype = _shape(one, sizes, 1), _dtype(one)
        if dtype.is_floating_point:
            return torch.rand(shape, generator=generator, dtype=dtype)
        return torch.zeros(shape, dtype=dtype)

    return tuple(map(filled, spec.inputs.values()))


def answers(captured: Captured, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """What a captured network makes of `inputs`, which it does not write into. Raises what its operators raise."""
    if captured.own_opset is not None:
        from edgefn.compile.files import onnx_source

        session = onnx_source.session(captured.onnx(captured.own_opset), captured.model.name)
        given = {name: one.numpy() for name, one in zip(captured.model.inputs, inputs, strict=True)}
        return tuple(map(torch.from_numpy, session.run(list(captured.model.outputs), given)))
    with torch.no_grad():
        return tuple(captured.program.module(check_guards=False)(*(one.clone() for one in inputs)))


def is_symbolic(spec: ModelSpec) -> bool:
    """Whether any dimension of any input is free."""
    return any(isinstance(size, str) for one in spec.inputs.values() for size in one.shape)


def _shape(one: TensorSpec, sizes: Mapping[str, int], more: int = 0) -> list[int]:
    def size_of(size: Dimension) -> int:
        return max(SMALLEST, sizes.get(size, SMALLEST)) + more if isinstance(size, str) else size

    return [size_of(size) for size in one.shape]


def _dtype(one: TensorSpec) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, one.dtype)
    return dtype
