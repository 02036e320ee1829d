"""FSRCNN."""

from torch import nn


def network():
    return nn.Sequential(
        nn.Conv2d(1, 28, 5, padding=2),
        nn.PReLU(28),
        nn.Conv2d(28, 8, 1),
        nn.PReLU(8),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.PReLU(8),
        nn.Conv2d(8, 28, 1),
        nn.PReLU(28),
        nn.ConvTranspose2d(28, 1, 9, 2, 4, output_padding=1),
    )
