"""torch.stft and torch.istft: what is recorded for them computes what they do, for each option and any length."""

from __future__ import annotations

import itertools
import random
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from edgefn import tensor
from edgefn.compile.capture.capture import capture
from edgefn.spec import TensorSpec
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

FREE, FIXED = tensor("float32", "batch", "n"), tensor("float32", 2, 64)
SIZES = {"batch": 2, "n": 64}


MANY = 60


def options(n_fft: int) -> list[dict[str, Any]]:
    """Return many combinations of a few values of each option of torch.istft."""
    import torch

    windows: list[dict[str, Any]] = [
        {},
        {"window": torch.hamming_window(n_fft)},
        {"win_length": n_fft - 5, "window": torch.hamming_window(n_fft - 5)},
        {"win_length": n_fft - 3},
    ]
    combined = itertools.product(
        windows,
        (None, n_fft // 2, n_fft // 3, 5),
        (True, False),
        (True, False),
        (True, False, None),
        (None, 3, 4 * n_fft, "all"),
    )
    names = ("hop_length", "center", "normalized", "onesided", "length")
    return [
        {**window, **dict(zip(names, others, strict=True))}
        for window, *others in random.Random(n_fft).sample(list(combined), MANY)
    ]


@pytest.mark.parametrize("batch", [(), (3,)], ids=["no batch", "three"])
@pytest.mark.parametrize("n_fft", [15, 16])
def test_the_inverse_with_every_option(n_fft: int, batch: tuple[int, ...]) -> None:
    """Real and complex frames, odd and even numbers of bins, padded beyond the last frame or cut: as torch computes."""
    import torch

    from edgefn.compile.substitutes import spectra

    torch.manual_seed(0)
    compared = 0
    for chosen in options(n_fft):
        bins = n_fft if chosen["onesided"] is False else n_fft // 2 + 1
        z = torch.randn(*batch, bins, 7, dtype=torch.complex64)
        if chosen["length"] == "all":
            chosen["length"] = n_fft + 6 * (chosen["hop_length"] or n_fft // 4)
        for is_complex in {False, chosen["onesided"] is False}:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it pads
                try:
                    wanted = torch.istft(z, n_fft, **chosen, return_complex=is_complex)
                except RuntimeError:  # the windows leave a gap
                    continue
            found = spectra.inverse(z, n_fft, **chosen, return_complex=is_complex)
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))
            compared += 1
    assert compared > MANY / 2


@pytest.mark.parametrize("n_fft", [400, 1024])
def test_the_inverse_is_as_exact_as_float32(n_fft: int) -> None:
    """Its cosines are of angles that are reduced exactly: the RMS error is of float32's last digit."""
    import torch

    from edgefn.compile.substitutes import spectra

    torch.manual_seed(0)
    z = torch.randn(n_fft // 2 + 1, 20, dtype=torch.complex128)
    window = torch.hann_window(n_fft, dtype=torch.float64)
    wanted = torch.istft(z, n_fft, window=window)
    found = spectra.inverse(z.to(torch.complex64), n_fft, window=window.float())
    assert (found - wanted).square().mean().sqrt() < 5e-7 * wanted.square().mean().sqrt()


def enhanced(x: Any) -> Any:
    """Mask a spectrum; as long as the input."""
    import torch

    window = torch.hann_window(16)
    z = torch.stft(x, 16, 8, window=window, return_complex=True)
    return torch.istft(z * torch.sigmoid(z.abs()), 16, 8, window=window, length=x.shape[-1])


def without_a_length(x: Any) -> Any:
    """As long as the frames make it, by the method."""
    import torch

    window = torch.hann_window(12)
    return torch.stft(x, 16, win_length=12, window=window, return_complex=True).istft(16, win_length=12, window=window)


def beyond_the_last_frame(x: Any) -> Any:
    """Padded, for some lengths and not for others."""
    import torch

    return torch.istft(torch.stft(x, 16, 12, return_complex=True), 16, 12, length=x.shape[-1])


def one_signal(x: Any) -> Any:
    """Without a batch, an odd number of bins, from the first sample on."""
    import torch

    window = torch.hamming_window(15)
    z = torch.stft(x[0], 15, 4, window=window, return_complex=True, center=False)
    return torch.istft(z, 15, 4, window=window, center=False)[None]


def of_two_sides(x: Any) -> Any:
    """All bins, frames that stay complex."""
    import torch

    z = torch.stft(x, 15, onesided=False, return_complex=True, normalized=True)
    return torch.istft(z * 1j, 15, onesided=False, normalized=True, return_complex=True).abs()


@pytest.mark.parametrize(
    ("forward", "given"),
    [
        *((enhanced, given) for given in (FREE, FIXED)),
        *((forward, FREE) for forward in (without_a_length, beyond_the_last_frame, one_signal, of_two_sides)),
    ],
)
def test_the_inverse_of_a_signal_of_any_length(forward: Callable[[Any], Any], given: TensorSpec) -> None:
    """Built for free lengths and for fixed ones, from the shortest that forward() takes."""
    sizes = {word: SIZES[word] for word in given.shape if isinstance(word, str)}
    eager = of(forward, x=given)
    captured = capture(eager, sizes)
    assert captured.model.ranges.keys() <= {"n"}
    check(eager, captured, sizes)


KINDS: list[dict[str, Any]] = [
    {"center": False, "hop_length": 5},
    {"pad_mode": "constant", "normalized": True, "onesided": False},
    {"pad_mode": "circular", "hop_length": 20},
    {"win_length": 11, "hop_length": 7},
    {"center": False, "win_length": 10, "align_to_window": True},
    {"center": False, "win_length": 10, "align_to_window": False},
]


@pytest.mark.parametrize("chosen", KINDS, ids=" ".join)
def test_the_transform_of_a_signal_of_any_length(chosen: dict[str, Any]) -> None:
    """A window that is shorter than a frame, a hop that does not come out even, any padding."""
    import torch

    window = torch.hann_window(chosen.get("win_length", 16))

    def forward(x: Any) -> Any:
        return torch.view_as_real(torch.stft(x, 16, window=window, return_complex=True, **chosen))

    eager = of(forward, x=FREE)
    check(eager, capture(eager, SIZES), SIZES, rounds=4)


def test_windows_of_any_kind() -> None:
    """With PyTorch's coefficients, periodic or symmetric, made in forward()."""
    import torch

    def forward(x: Any) -> Any:
        size = x.shape[1]
        made = (
            torch.hann_window(size),
            torch.hamming_window(size),
            torch.hamming_window(size, periodic=False, alpha=0.5, beta=0.4),
            torch.blackman_window(size, False),
            torch.bartlett_window(size),
            torch.kaiser_window(size, True, 9.0),
        )
        return tuple(x * window for window in made)

    eager = of(forward, x=tensor("float32", "batch", 16))
    check(eager, capture(eager, {"batch": 2}), {"batch": 2}, rounds=2)


def test_a_window_as_long_as_the_signal_is_pytorchs() -> None:
    """Of a free length, down to one number, periodic or not, with a Hamming window's own coefficients."""
    import torch

    def forward(x: Any) -> Any:
        n = x.shape[1]
        hamming = torch.hamming_window(n, True, alpha=0.6), torch.hamming_window(n, False, 0.6, 0.4)
        return x * torch.hann_window(n), torch.blackman_window(n, periodic=False), *hamming

    eager = of(forward, x=tensor("float32", "batch", "n"))
    captured = capture(eager, {"batch": 2, "n": 9})
    assert captured.model.ranges == {}
    check(eager, captured, {"batch": 2, "n": 9})
