"""Wide and deep."""

import torch
from torch import nn


class Embed(nn.Module):
    def __init__(self, width, columns=6, codes=20):
        super().__init__()
        self.register_buffer("offsets", torch.arange(columns) * codes)
        self.table = nn.Embedding(columns * codes, width)

    def forward(self, categories):
        return self.table(categories + self.offsets)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide, self.embed = Embed(1), Embed(8)
        self.deep = nn.Sequential(nn.Linear(58, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, numbers, categories):
        deep = self.deep(torch.cat([numbers, self.embed(categories).flatten(1)], 1))
        return torch.sigmoid(self.wide(categories).sum(1) + deep).squeeze(-1)


def network():
    return Net()
