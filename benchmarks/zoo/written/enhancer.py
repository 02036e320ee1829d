"""STFT mask and inverse."""

import torch
from torch import nn


class Enhance(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(256))
        self.mask = nn.Sequential(
            nn.Conv1d(129, 64, 3, padding=1), nn.ReLU(), nn.Conv1d(64, 129, 3, padding=1), nn.Sigmoid()
        )

    def forward(self, x):
        spectrum = torch.stft(x, 256, 128, window=self.window, return_complex=True)
        heard = spectrum * self.mask(spectrum.abs())
        return torch.istft(heard, 256, 128, window=self.window, length=x.shape[-1])


def network():
    return Enhance()
