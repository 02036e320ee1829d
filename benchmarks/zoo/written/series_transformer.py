"""TransformerEncoder on series."""

import math
import torch
from torch import nn


class Series(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.enter, self.last = nn.Linear(6, width), nn.Linear(width, 5)
        layer = nn.TransformerEncoderLayer(width, 4, 64, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        place, rate = torch.arange(200)[:, None], torch.exp(torch.arange(0, width, 2) * (-math.log(1e4) / width))
        table = torch.zeros(200, width)
        table[:, 0::2], table[:, 1::2] = torch.sin(place * rate), torch.cos(place * rate)
        self.register_buffer("table", table)

    def forward(self, x):
        return self.last(self.body(self.enter(x) + self.table[: x.shape[1]]).mean(1))


def network():
    return Series()
