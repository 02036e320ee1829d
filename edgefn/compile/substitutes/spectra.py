"""Short-time Fourier transforms as every runtime can run them, for any number of frames.

The forward one is the exporter's. Of the inverse one, each frame's inverse DFT is a product with a matrix of cosines
and sines, and the frames are added where they overlap: a transposed convolution with that matrix times the window, hop
by hop. Another one, of ones with the squared window, gives what the sum is divided by
(https://docs.pytorch.org/docs/stable/generated/torch.istft.html). Angles are reduced in whole numbers, and cosines
computed in double precision, so each of them is exact to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def windows() -> dict[Any, Callable[..., Any]]:
    """Return PyTorch's windows, each with its replacement: its numbers, or a formula for a free length.

    The exporter's Hamming window has 25/46 where PyTorch's has 0.54, and most others have no translation.
    """
    import torch

    plain = (torch.bartlett_window, torch.blackman_window, torch.hann_window)
    return {function: _computed(function) for function in (*plain, torch.hamming_window, torch.kaiser_window)}


def _computed(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    import torch
    from torch._subclasses.fake_tensor import unset_fake_temporarily
    from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing

    def window(*arguments: Any, **options: Any) -> torch.Tensor:
        if any(isinstance(one, torch.SymInt) for one in (*arguments, *options.values())):
            cosines = _COSINES.get(function.__name__)
            return _free(cosines, *arguments, **options) if cosines else function(*arguments, **options)
        with unset_fake_temporarily(), disable_proxy_modes_tracing():
            numbers = function(*arguments, **options)
        return torch.tensor(numbers.tolist(), dtype=numbers.dtype)

    return window


_COSINES = {"hann_window": (0.5, 0.5), "hamming_window": (0.54, 0.46), "blackman_window": (0.42, 0.5, 0.08)}
"""Windows that are sums of cosines of multiples of the angle, with alternating signs."""


def _free(cosines: tuple[float, ...], window_length: Any, periodic: bool = True, *more: float, **options: Any) -> Any:
    """Return a window of a free length; `more` are a Hamming window's own coefficients.

    One number alone is 1.
    """
    import torch

    coefficients = [*more, *cosines[len(more) :]]
    coefficients = [options.pop(name, one) for name, one in zip(("alpha", "beta", ""), coefficients, strict=False)]
    numbers = torch.arange(window_length, **{"dtype": torch.get_default_dtype(), **options})
    period = window_length if periodic else torch.sym_max(window_length - 1, 1)  # type: ignore[no-untyped-call]
    angles = numbers * (2 * math.pi) / period
    terms = [(-1) ** order * one * torch.cos(angles * order) for order, one in enumerate(coefficients)]
    window = torch.stack(terms).sum(0)
    return torch.where(torch.ones_like(numbers) * window_length < 2, torch.ones_like(window), window)


def forward(
    input: torch.Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: torch.Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> torch.Tensor:
    """Compute torch.stft, with the padding of `align_to_window` as a step of its own."""
    import torch
    from torch.nn import functional

    if not center and align_to_window:
        more = (n_fft - (win_length or n_fft)) // 2
        input = functional.pad(input, (more, more))
    aligned = align_to_window if center else None
    return torch.stft(
        *(input, n_fft, hop_length, win_length, window, center, pad_mode, normalized, onesided, return_complex, aligned)
    )


def inverse(
    input: torch.Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: torch.Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: Any = None,
    return_complex: bool = False,
) -> torch.Tensor:
    """Compute torch.istft.

    Options that torch.istft refuses are left to it to refuse; a complex window is left to it.
    """
    import torch
    from torch.nn import functional

    if not torch.is_complex(input) or (window is not None and torch.is_complex(window)):
        return torch.istft(
            input, n_fft, hop_length, win_length, window, center, normalized, onesided, length, return_complex
        )
    hop = n_fft // 4 if hop_length is None else hop_length
    frames = torch.view_as_real(input)
    frames = frames if input.dim() == 3 else frames[None]
    weights = _window(window, n_fft, win_length, frames)
    kernel = _basis(n_fft, normalized, return_complex, frames) * weights
    channels = frames.permute(0, 3, 1, 2)[:, :, : kernel.shape[0] // 2].flatten(1, 2).to(kernel.dtype)
    signal = functional.conv_transpose1d(channels, kernel, stride=hop)
    ones = weights.new_ones((1, 1, frames.shape[2]))
    envelope = functional.conv_transpose1d(ones, (weights * weights)[None, None], stride=hop)
    signal = _cut(signal, 0.0, n_fft, center, length) / _cut(envelope, 1.0, n_fft, center, length)
    signal = signal if input.dim() == 3 else signal[0]
    if return_complex:
        return torch.view_as_complex(signal.transpose(-1, -2).contiguous())
    return signal.squeeze(-2)


def _window(window: torch.Tensor | None, n_fft: int, win_length: int | None, frames: torch.Tensor) -> torch.Tensor:
    """Return the window with zeros on both sides up to `n_fft`; one of ones where there is none."""
    from torch.nn import functional

    width = n_fft if win_length is None else win_length
    weights = frames.new_ones(width) if window is None else window
    left = (n_fft - width) // 2
    return weights if width == n_fft else functional.pad(weights, (left, n_fft - width - left))


def _basis(n_fft: int, normalized: bool, return_complex: bool, frames: torch.Tensor) -> torch.Tensor:
    """Return the inverse DFT as [real and imaginary parts of bins, 1, n_fft]; two rows for complex frames.

    A real signal follows from half of the bins: those that stand for their conjugates too count twice, and of the
    first, and of the middle one of an even number, the imaginary part counts for nothing.
    """
    import torch

    bins = n_fft if return_complex else n_fft // 2 + 1
    scale = 1 / math.sqrt(n_fft) if normalized else 1 / n_fft
    angles = [2 * math.pi * number / n_fft for number in range(n_fft)]
    table = frames.new_tensor([[scale * math.cos(one) for one in angles], [scale * math.sin(one) for one in angles]])
    places = torch.arange(bins)[:, None] * torch.arange(n_fft) % n_fft
    cosine, sine = table.index_select(1, places.flatten()).view(2, bins, 1, n_fft)
    if return_complex:
        return torch.cat([torch.cat([cosine, sine], 1), torch.cat([-sine, cosine], 1)])
    alone = {0, n_fft / 2}
    real = frames.new_tensor([1.0 if number in alone else 2.0 for number in range(bins)])
    imaginary = frames.new_tensor([0.0 if number in alone else -2.0 for number in range(bins)])
    return torch.cat([cosine * real[:, None, None], sine * imaginary[:, None, None]])


def _cut(whole: torch.Tensor, beyond: float, n_fft: int, center: bool, length: Any) -> torch.Tensor:
    """Cut the part before the first frame's middle, and the surplus; add `beyond` after the last frame."""
    from torch.fx.experimental.symbolic_shapes import statically_known_true
    from torch.nn import functional

    start = n_fft // 2 if center else 0
    size = whole.shape[-1]
    if length is None:
        return whole[..., start : size - start]
    if not statically_known_true(start + length <= size):  # no branch on a free length
        whole = functional.pad(whole, (0, length), value=beyond)
    return whole.narrow(-1, start, length)
