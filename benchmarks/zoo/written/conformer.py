"""Conformer."""

import torch
from torch import nn


class Feed(nn.Sequential):
    def __init__(self, width):
        super().__init__(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.SiLU(), nn.Dropout(0.1), nn.Linear(4 * width, width)
        )


class Convolve(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.body = nn.Sequential(
            nn.Conv1d(width, 2 * width, 1),
            nn.GLU(1),
            nn.Conv1d(width, width, 15, padding=7, groups=width),
            nn.BatchNorm1d(width),
            nn.SiLU(),
            nn.Conv1d(width, width, 1),
            nn.Dropout(0.1),
        )

    def forward(self, x):
        return self.body(self.norm(x).transpose(1, 2)).transpose(1, 2)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.second, self.convolve = Feed(width), Feed(width), Convolve(width)
        self.norm, self.last = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, 4, dropout=0.1, batch_first=True)

    def forward(self, x):
        x = x + 0.5 * self.first(x)
        y = self.norm(x)
        x = x + self.attend(y, y, y, need_weights=False)[0]
        x = x + self.convolve(x)
        return self.last(x + 0.5 * self.second(x))


class Conformer(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.enter = nn.Sequential(nn.Conv2d(1, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.ReLU())
        self.project, self.blocks = nn.Linear(8 * 9, width), nn.Sequential(Block(width), Block(width))
        self.last = nn.Linear(width, 32)

    def forward(self, x):
        x = self.enter(x).permute(0, 3, 1, 2).flatten(2)
        return self.last(self.blocks(self.project(x))).log_softmax(-1)


def network():
    return Conformer()
