"""3-D U-Net."""

import torch
from torch import nn


class UNet3d(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv3d(1, 8, 3, padding=1), nn.InstanceNorm3d(8), nn.LeakyReLU())
        self.down = nn.Sequential(nn.Conv3d(8, 16, 3, 2, 1), nn.InstanceNorm3d(16), nn.LeakyReLU())
        self.up, self.last = nn.ConvTranspose3d(16, 8, 2, 2), nn.Conv3d(16, 2, 1)

    def forward(self, x):
        first = self.first(x)
        return self.last(torch.cat([first, self.up(self.down(first))], 1))


def network():
    return UNet3d()
