"""Functions of PyTorch that torch.export or the exporter cannot take, replaced while a network is recorded.

    torch.istft    takes its length as a plain number, and no runtime has it (spectra.py)
    torch.stft     with align_to_window, which the exporter does not take
    affine_grid, linspace    of a free size (grids.py); grid_sample refused where engines round otherwise
    windows        of which the exporter has some, and one with other coefficients
    angle          of complex numbers, and of NaN (angles.py)
    cdist          of a free number of rows; hypot, which ONNX has not (distances.py)
    interpolate    to the nearest pixel, of which ONNX Runtime takes another for some sizes (resizing.py);
                   linear, by a factor that is no whole number (linear.py)
    pooling        with windows of a free size, along one axis, or with a divisor of its own (pooling.py)
    batch_norm     by the batch's own figures (norms.py)
    median, bucketize, cumprod …    which ONNX has not (sorting.py)
    conv_transpose to a size that is free (transposed.py)
    cross_entropy, nll_loss    of each element, of probabilities (losses.py)
    tensor         of free lengths (length_tensors.py)
    tensor_split   of a free length (splits.py)

A replacement computes the same from other operators, in the program of every target. Never changes what eager PyTorch
computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def recorded() -> Iterator[None]:
    """Record the replacement of each function that has one, within the block."""
    import torch
    from torch.nn import functional
    from torch.overrides import TorchFunctionMode

    from edgefn.compile.substitutes import (
        angles,
        distances,
        grids,
        length_tensors,
        losses,
        norms,
        pooling,
        resizing,
        sorting,
        spectra,
        splits,
        transposed,
    )

    replacements: dict[Any, Callable[..., Any]] = {
        **angles.replacements(),
        **distances.replacements(),
        **length_tensors.replacements(),
        **losses.replacements(),
        **resizing.replacements(),
        **norms.replacements(),
        **pooling.replacements(),
        **sorting.replacements(),
        **spectra.windows(),
        **splits.replacements(),
        **transposed.replacements(),
        functional.affine_grid: grids.affine,
        functional.grid_sample: grids.sampled,
        torch.linspace: grids.line,
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
