"""Minimal GRU (minGRU)."""

import torch
from torch import nn


class MinGru(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.gate, self.new, self.last = nn.Linear(6, width), nn.Linear(6, width), nn.Linear(width, 5)

    def forward(self, x):
        z, h = torch.sigmoid(self.gate(x)), self.new(x)
        kept = torch.cumsum(torch.log(1 - z + 1e-6), 1)
        state = torch.exp(kept) * torch.cumsum(z * h * torch.exp(-kept), 1)
        return self.last(state)


def network():
    return MinGru()
