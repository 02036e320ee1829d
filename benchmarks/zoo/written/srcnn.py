"""SRCNN."""

from torch import nn


def network():
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bicubic", align_corners=False),
        nn.Conv2d(1, 32, 9, padding=4),
        nn.ReLU(),
        nn.Conv2d(32, 16, 1),
        nn.ReLU(),
        nn.Conv2d(16, 1, 5, padding=2),
    )
