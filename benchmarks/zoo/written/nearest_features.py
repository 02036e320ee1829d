"""Anomaly by nearest features."""

import torch
from torch import nn


class Anomaly(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 24, 3, 2, 1), nn.ReLU())
        self.register_buffer("bank", torch.rand(50, 24))

    def forward(self, x):
        seen = nn.functional.avg_pool2d(self.body(x), 3, 1, 1)
        distances = torch.cdist(seen.flatten(2).transpose(1, 2), self.bank.unsqueeze(0))
        near = distances.min(2).values.view(seen.shape[0], 1, seen.shape[2], seen.shape[3])
        scores = nn.functional.interpolate(near, size=x.shape[2:], mode="bilinear", align_corners=False)
        return scores, near.amax((1, 2, 3))


def network():
    return Anomaly()
