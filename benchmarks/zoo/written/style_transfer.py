"""Style transfer."""

from torch import nn


def layer(before, width, kernel, stride):
    return [
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(before, width, kernel, stride),
        nn.InstanceNorm2d(width, affine=True),
        nn.ReLU(),
    ]


def network():
    return nn.Sequential(
        *layer(3, 16, 9, 1),
        *layer(16, 32, 3, 2),
        *layer(32, 32, 3, 1),
        nn.Upsample(scale_factor=2, mode="nearest"),
        *layer(32, 16, 3, 1),
        nn.ReflectionPad2d(4),
        nn.Conv2d(16, 3, 9),
    )
