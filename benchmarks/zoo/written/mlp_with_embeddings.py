"""MLP with embeddings."""

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
        self.embed = nn.ModuleList([nn.Embedding(20, 5) for _ in range(6)])
        self.norm, self.body = (
            nn.BatchNorm1d(10),
            nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.BatchNorm1d(64), nn.Linear(64, 2)),
        )

    def forward(self, numbers, categories):
        seen = [table(categories[:, column]) for column, table in enumerate(self.embed)]
        return self.body(torch.cat([self.norm(numbers), *seen], 1))


def network():
    return Net()
