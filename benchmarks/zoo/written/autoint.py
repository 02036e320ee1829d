"""AutoInt."""

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
        self.embed, self.numbers = Embed(width), nn.Parameter(torch.randn(10, width))
        self.attend = nn.ModuleList([nn.MultiheadAttention(width, 2, batch_first=True) for _ in range(2)])
        self.short, self.last = nn.ModuleList([nn.Linear(width, width) for _ in range(2)]), nn.Linear(16 * width, 1)

    def forward(self, numbers, categories):
        x = torch.cat([numbers.unsqueeze(-1) * self.numbers, self.embed(categories)], 1)
        for attend, short in zip(self.attend, self.short):
            x = torch.relu(attend(x, x, x)[0] + short(x))
        return self.last(x.flatten(1)).sigmoid()


def network():
    return Net()
