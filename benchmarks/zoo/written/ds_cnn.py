"""DS-CNN (keywords)."""

from torch import nn


def separable(width):
    return [
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]


def network():
    return nn.Sequential(
        nn.Conv2d(1, 64, (4, 10), (2, 2), (1, 4), bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        *(layer for _ in range(4) for layer in separable(64)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 12),
    )
