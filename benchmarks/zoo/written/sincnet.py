"""SincNet."""

import math
import torch
from torch import nn


class Sinc(nn.Module):
    def __init__(self, count=32, kernel=101):
        super().__init__()
        edges = torch.linspace(30, 7000, count + 1)
        self.low, self.band = nn.Parameter(edges[:-1].clone()), nn.Parameter(edges[1:] - edges[:-1])
        self.register_buffer("time", torch.arange(-(kernel // 2), kernel // 2 + 1) / 16000)
        self.register_buffer("window", torch.hamming_window(kernel, periodic=False))

    def forward(self, x):
        low = self.low.abs()[:, None]
        high = low + self.band.abs()[:, None]
        filters = 2 * high * torch.sinc(2 * high * self.time) - 2 * low * torch.sinc(2 * low * self.time)
        filters = filters * self.window / filters.abs().amax(1, keepdim=True)
        return nn.functional.conv1d(x, filters[:, None]).abs()


def network():
    return nn.Sequential(
        Sinc(),
        nn.MaxPool1d(3),
        nn.GroupNorm(1, 32),
        nn.LeakyReLU(),
        nn.Conv1d(32, 32, 5),
        nn.MaxPool1d(3),
        nn.LeakyReLU(),
        nn.AdaptiveAvgPool1d(4),
        nn.Flatten(),
        nn.Linear(128, 20),
    )
