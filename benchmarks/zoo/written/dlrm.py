"""DLRM."""

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
    def __init__(self, width=16):
        super().__init__()
        self.embed, self.bottom = (
            Embed(width),
            nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, width), nn.ReLU()),
        )
        self.top = nn.Sequential(nn.Linear(width + 21, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())
        rows, columns = torch.tril_indices(7, 7, -1)
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(self, numbers, categories):
        dense = self.bottom(numbers)
        seen = torch.cat([dense.unsqueeze(1), self.embed(categories)], 1)
        products = torch.bmm(seen, seen.transpose(1, 2))[:, self.rows, self.columns]
        return self.top(torch.cat([dense, products], 1)).squeeze(1)


def network():
    return Net()
