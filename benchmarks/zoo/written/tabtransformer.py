"""TabTransformer."""

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
        self.embed, self.norm = Embed(32), nn.LayerNorm(10)
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.last = nn.Sequential(nn.Linear(6 * 32 + 10, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, numbers, categories):
        return self.last(torch.cat([self.body(self.embed(categories)).flatten(1), self.norm(numbers)], 1))


def network():
    return Net()
