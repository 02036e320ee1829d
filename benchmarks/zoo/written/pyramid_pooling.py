"""Pyramid pooling (PSPNet)."""

import torch
from torch import nn


class Psp(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 24, 3, 2, 1), nn.ReLU()
        )
        self.pools = nn.ModuleList(
            [nn.Sequential(nn.AdaptiveAvgPool2d(n), nn.Conv2d(24, 6, 1), nn.ReLU()) for n in (1, 2, 3, 6)]
        )
        self.last = nn.Conv2d(48, 4, 3, padding=1)

    def forward(self, x):
        seen = self.body(x)
        parts = [
            nn.functional.interpolate(pool(seen), seen.shape[2:], mode="bilinear", align_corners=False)
            for pool in self.pools
        ]
        return nn.functional.interpolate(
            self.last(torch.cat([seen, *parts], 1)), x.shape[2:], mode="bilinear", align_corners=False
        )


def network():
    return Psp()
