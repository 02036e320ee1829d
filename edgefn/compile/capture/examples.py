"""Example inputs of a model: to trace it with, and to compare the trace with afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from edgefn.dimensions.sizes import nearest, words
from edgefn.spec import SizeRange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgefn.compile.lower.lowering import Captured
    from edgefn.spec import ModelSpec, TensorSpec

SMALLEST = 2
"""Of a symbolic dimension: networks treat one row as a special case (broadcasting), and so do tracers."""


def zeros(spec: ModelSpec, sizes: Mapping[str, int]) -> tuple[torch.Tensor, ...]:
    """Return a tensor of zeros for each input.

    Its free dimensions are as large as in `sizes`, but at least two where that is allowed.
    """
    return zeros_of(spec, _lengths(spec, sizes))


def zeros_of(spec: ModelSpec, lengths: Mapping[str, int]) -> tuple[torch.Tensor, ...]:
    """Return a tensor of zeros for each input with exactly these lengths."""
    return tuple(torch.zeros(_shape(one, lengths), dtype=_dtype(one)) for one in spec.inputs.values())


def larger(spec: ModelSpec, sizes: Mapping[str, int]) -> tuple[torch.Tensor, ...]:
    """Return inputs like `zeros`, with each free dimension of the next allowed length.

    Floats are random, the same each time.
    """
    return filled(
        spec, {word: _another(length, spec.ranges.get(word)) for word, length in _lengths(spec, sizes).items()}
    )


def filled(spec: ModelSpec, lengths: Mapping[str, int], whole: int = 0) -> tuple[torch.Tensor, ...]:
    """Return a tensor for each input with exactly these lengths.

    Floats are random, the same ones each time. All other numbers are `whole`.
    """
    generator = torch.Generator().manual_seed(0)

    def filled(one: TensorSpec) -> torch.Tensor:
        shape, dtype = _shape(one, lengths), _dtype(one)
        if dtype.is_floating_point:
            return torch.rand(shape, generator=generator, dtype=dtype)
        return torch.full(shape, whole, dtype=dtype)

    return tuple(map(filled, spec.inputs.values()))


def answers(captured: Captured, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Run a captured network on `inputs`, which stay unchanged; return its outputs. Raise its operators' errors."""
    if captured.own_opset is not None:
        from edgefn.compile.files import onnx_source

        session = onnx_source.session(captured.onnx(captured.own_opset), captured.model.name)
        given = {name: one.numpy() for name, one in zip(captured.model.inputs, inputs, strict=True)}
        return tuple(map(torch.from_numpy, session.run(list(captured.model.outputs), given)))
    return program_answers(captured.program, inputs)


def program_answers(program: torch.export.ExportedProgram, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Run a captured program on copies of `inputs`; return its outputs. Raise what its operators raise."""
    with torch.no_grad():
        return tuple(program.module(check_guards=False)(*(one.clone() for one in inputs)))


def is_symbolic(spec: ModelSpec) -> bool:
    """Tell whether any dimension of any input is free."""
    return any(isinstance(size, str) for one in spec.inputs.values() for size in one.shape)


def _lengths(spec: ModelSpec, sizes: Mapping[str, int]) -> dict[str, int]:
    wanted = {word: max(SMALLEST, sizes.get(word, SMALLEST)) for word in words(spec.inputs.values())}
    return {word: nearest(spec.ranges.get(word, _ANY), length) for word, length in wanted.items()}


def _another(length: int, allowed: SizeRange | None) -> int:
    """Return the next longer length, or the next shorter one when `length` is the longest."""
    allowed = allowed or _ANY
    longer = nearest(allowed, length + 1)
    return longer if longer > length else nearest(allowed, max(length - allowed.multiple_of, 0))


def _shape(one: TensorSpec, lengths: Mapping[str, int]) -> list[int]:
    return [lengths[size] if isinstance(size, str) else size for size in one.shape]


_ANY = SizeRange()


def _dtype(one: TensorSpec) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, one.dtype)
    return dtype
