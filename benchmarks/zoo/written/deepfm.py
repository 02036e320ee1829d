"""DeepFM."""

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
        self.first, self.embed = Embed(1), Embed(8)
        self.deep = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 1))
        self.numbers = nn.Linear(10, 1)

    def forward(self, numbers, categories):
        seen = self.embed(categories)
        pairs = 0.5 * (seen.sum(1) ** 2 - (seen**2).sum(1)).sum(1, keepdim=True)
        return torch.sigmoid(self.numbers(numbers) + self.first(categories).sum(1) + pairs + self.deep(seen.flatten(1)))


def network():
    return Net()
