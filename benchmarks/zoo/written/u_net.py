"""U-Net."""

import torch
from torch import nn


def twice(before, width):
    return nn.Sequential(
        nn.Conv2d(before, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    def __init__(self, widths=(16, 32, 48, 64)):
        super().__init__()
        self.down = nn.ModuleList([twice(a, b) for a, b in zip((3, *widths), widths)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, 2) for a, b in zip(widths, widths[1:])][::-1])
        self.join = nn.ModuleList([twice(2 * a, a) for a in widths[:-1]][::-1])
        self.last = nn.Conv2d(widths[0], 4, 1)

    def forward(self, x):
        kept = []
        for layer in self.down:
            x = layer(x if not kept else nn.functional.max_pool2d(x, 2))
            kept.append(x)
        for up, join, beside in zip(self.up, self.join, kept[-2::-1]):
            x = join(torch.cat([beside, up(x)], 1))
        return self.last(x)


def network():
    return UNet()
