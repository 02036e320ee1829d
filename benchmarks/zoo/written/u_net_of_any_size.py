"""U-Net, upsampled to the skip."""

import torch
from torch import nn


def once(before, width):
    return nn.Sequential(nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True))


class UNet(nn.Module):
    def __init__(self, widths=(16, 32, 48)):
        super().__init__()
        self.down = nn.ModuleList([once(a, b) for a, b in zip((3, *widths), widths)])
        self.join = nn.ModuleList([once(a + b, a) for a, b in zip(widths, widths[1:])][::-1])
        self.last = nn.Conv2d(widths[0], 2, 1)

    def forward(self, x):
        kept = []
        for layer in self.down:
            x = layer(x if not kept else nn.functional.max_pool2d(x, 2))
            kept.append(x)
        for join, beside in zip(self.join, kept[-2::-1]):
            x = nn.functional.interpolate(x, size=beside.shape[-2:], mode="bilinear", align_corners=False)
            x = join(torch.cat([beside, x], 1))
        return self.last(x).softmax(1)


def network():
    return UNet()
