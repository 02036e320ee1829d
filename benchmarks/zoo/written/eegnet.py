"""EEGNet."""

from torch import nn


def network():
    return nn.Sequential(
        nn.Conv2d(1, 8, (1, 63), padding=(0, 31), bias=False),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 16, (22, 1), groups=8, bias=False),
        nn.BatchNorm2d(16),
        nn.ELU(),
        nn.AvgPool2d((1, 4)),
        nn.Conv2d(16, 16, (1, 15), padding=(0, 7), groups=16, bias=False),
        nn.Conv2d(16, 16, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.ELU(),
        nn.AdaptiveAvgPool2d((1, 8)),
        nn.Flatten(),
        nn.Linear(128, 4),
    )
