"""ECAPA-TDNN."""

import torch
from torch import nn


class Res2(nn.Module):
    def __init__(self, width, dilation, scale=4):
        super().__init__()
        self.scale = scale
        self.first, self.last = nn.Conv1d(width, width, 1), nn.Conv1d(width, width, 1)
        part = width // scale
        self.convs = nn.ModuleList(
            [nn.Conv1d(part, part, 3, padding=dilation, dilation=dilation) for _ in range(scale - 1)]
        )
        self.norm = nn.BatchNorm1d(width)
        self.squeeze = nn.Sequential(nn.Conv1d(width, 16, 1), nn.ReLU(), nn.Conv1d(16, width, 1), nn.Sigmoid())

    def forward(self, x):
        parts = list(self.first(x).relu().chunk(self.scale, 1))
        found = [parts[0]]
        for part, conv in zip(parts[1:], self.convs):
            found.append(conv(part + found[-1] if len(found) > 1 else part).relu())
        y = self.norm(self.last(torch.cat(found, 1)))
        return x + y * self.squeeze(y.mean(2, keepdim=True))


class Ecapa(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.first = nn.Conv1d(40, width, 5, padding=2)
        self.blocks = nn.ModuleList([Res2(width, dilation) for dilation in (2, 3, 4)])
        self.joint = nn.Conv1d(3 * width, 96, 1)
        self.attend = nn.Sequential(nn.Conv1d(3 * 96, 32, 1), nn.Tanh(), nn.Conv1d(32, 96, 1))
        self.last = nn.Linear(192, 48)

    def forward(self, x):
        x = self.first(x.squeeze(1)).relu()
        seen = []
        for block in self.blocks:
            x = block(x)
            seen.append(x)
        x = self.joint(torch.cat(seen, 1)).relu()
        mean, deviation = x.mean(2, keepdim=True).expand_as(x), x.std(2, keepdim=True).expand_as(x)
        weights = self.attend(torch.cat([x, mean, deviation], 1)).softmax(2)
        mean = (x * weights).sum(2)
        deviation = ((x**2 * weights).sum(2) - mean**2).clamp(min=1e-6).sqrt()
        return nn.functional.normalize(self.last(torch.cat([mean, deviation], 1)), dim=1)


def network():
    return Ecapa()
