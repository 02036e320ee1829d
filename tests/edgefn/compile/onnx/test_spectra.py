"""A spectrum that is changed and transformed back has PyTorch's answer at every length."""

from __future__ import annotations

from typing import Any

import pytest

from edgefn import tensor
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def filtered(x: Any) -> Any:
    """Yield signals whose spectra are damped, doubled or cut."""
    import torch

    size = x.shape[-1]
    spectrum = torch.fft.rfft(x)
    yield torch.fft.irfft(spectrum * torch.exp(-torch.linspace(0, 3, size // 2 + 1)), n=size)
    yield torch.fft.irfft(spectrum * 2, n=size, norm="forward") + torch.fft.irfft(spectrum, n=size)
    yield torch.fft.irfft(torch.fft.rfft(x, norm="ortho") * 1j, n=size, norm="ortho")
    yield torch.fft.ifft(torch.fft.fft(x) * (torch.arange(size) <= size // 2)).abs()
    yield spectrum.abs()


def test_lengths_even_and_odd() -> None:
    """The sizes that every exported network is checked at, odd ones among them."""
    eager = of(lambda x: tuple(filtered(x)), x=tensor("float32", "n", "t"))
    check(eager, capture(eager, {"n": 2, "t": 16}), {"n": 2, "t": 16})
