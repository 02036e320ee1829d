"""WaveNet."""

import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, width, dilation):
        super().__init__()
        self.pad = dilation
        self.both, self.out = nn.Conv1d(width, 2 * width, 2, dilation=dilation), nn.Conv1d(width, 2 * width, 1)

    def forward(self, x):
        a, b = self.both(nn.functional.pad(x, (self.pad, 0))).chunk(2, 1)
        kept, skip = self.out(torch.tanh(a) * torch.sigmoid(b)).chunk(2, 1)
        return x + kept, skip


class WaveNet(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.first, self.last = nn.Conv1d(1, width, 1), nn.Conv1d(width, 64, 1)
        self.layers = nn.ModuleList([Layer(width, 2**n) for n in range(7)])

    def forward(self, x):
        x, total = self.first(x), 0
        for layer in self.layers:
            x, skip = layer(x)
            total = total + skip
        return self.last(total.relu())


def network():
    return WaveNet()
