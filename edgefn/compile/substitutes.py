"""Functions of PyTorch that torch.export or the exporter cannot take, replaced while a network is recorded.

    torch.istft    takes its length as a plain number, and no runtime has it (edgefn.compile.spectra)
    torch.stft     with align_to_window, which the exporter does not take
    windows        of which the exporter has some, and one with other coefficients
    pooling        with windows of a free size, or along one axis (edgefn.compile.pooling)
    affine_grid    of a free height and width (edgefn.compile.warping)

A replacement computes the same from other operators, in the program of every target. Never changes what eager PyTorch
computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def recorded() -> Iterator[None]:
    """Within, the functions that have a replacement are recorded as that."""
    import torch
    from torch.overrides import TorchFunctionMode

    from edgefn.compile import pooling, spectra, warping

    replacements: dict[Any, Callable[..., Any]] = {
        **pooling.replacements(),
        **spectra.windows(),
        torch.nn.functional.affine_grid: warping.affine_grid,
        torch.stft: spectra.forward,
        torch.Tensor.stft: spectra.forward,
        torch.istft: spectra.inverse,
        torch.Tensor.istft: spectra.inverse,
    }

    class Recorded(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return replacements.get(function, function)(*args, **(kwargs or {}))

    with Recorded():
        yield
