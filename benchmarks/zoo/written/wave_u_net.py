"""Wave-U-Net."""

import torch
from torch import nn


class WaveUNet(nn.Module):
    def __init__(self):
        super().__init__()
        widths = (1, 16, 32, 48, 64)
        self.down = nn.ModuleList([nn.Conv1d(a, b, 15, padding=7) for a, b in zip(widths, widths[1:])])
        self.middle = nn.Conv1d(64, 64, 15, padding=7)
        self.up = nn.ModuleList(
            [nn.Conv1d(2 * b, a if a > 1 else 16, 5, padding=2) for a, b in zip(widths, widths[1:])][::-1]
        )
        self.last = nn.Conv1d(17, 1, 1)

    def forward(self, x):
        first, kept = x, []
        for layer in self.down:
            x = nn.functional.leaky_relu(layer(x))
            kept.append(x)
            x = x[:, :, ::2]
        x = self.middle(x)
        for layer, beside in zip(self.up, kept[::-1]):
            x = nn.functional.interpolate(x, scale_factor=2, mode="linear", align_corners=False)
            x = nn.functional.leaky_relu(layer(torch.cat([x, beside], 1)))
        return torch.tanh(self.last(torch.cat([x, first], 1)))


def network():
    return WaveUNet()
