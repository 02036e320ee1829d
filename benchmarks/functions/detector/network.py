"""A detector after YOLOv8n: C2f backbone, SPPF, a path-aggregating neck, a head that tells distances as distributions.

Source: the architecture as Ultralytics' documentation of YOLOv8 describes it (width 0.25, depth 0.33). Written anew.
"""

from __future__ import annotations

import torch
from torch import nn

CLASSES, BINS = 20, 16
WIDTHS = (16, 32, 64, 128, 256)


class Conv(nn.Sequential):
    """Convolution, batch norm, SiLU."""

    def __init__(self, channels: int, out: int, kernel: int = 3, stride: int = 1) -> None:
        conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(out), nn.SiLU())


class Split(nn.Module):
    """C2f: half of the channels goes through bottlenecks, all that was seen on the way is put together."""

    def __init__(self, channels: int, out: int, *, shortcut: bool) -> None:
        super().__init__()
        self.enter, self.leave = Conv(channels, out, 1), Conv(3 * out // 2, out, 1)
        self.body = nn.Sequential(Conv(out // 2, out // 2), Conv(out // 2, out // 2))
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = self.enter(x).chunk(2, 1)
        third = self.body(second) + second if self.shortcut else self.body(second)
        return self.leave(torch.cat([first, second, third], 1))


class Pools(nn.Module):
    """SPPF: the same pooling three times over."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter, self.leave = Conv(channels, channels // 2, 1), Conv(2 * channels, channels, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = [self.enter(x)]
        for _ in range(3):
            seen.append(self.pool(seen[-1]))
        return self.leave(torch.cat(seen, 1))


class Head(nn.Module):
    """For one scale: distances to the four sides, as means of distributions, and class scores."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.boxes = nn.Sequential(Conv(channels, 64), Conv(64, 64), nn.Conv2d(64, 4 * BINS, 1))
        self.classes = nn.Sequential(Conv(channels, 64), Conv(64, 64), nn.Conv2d(64, CLASSES, 1))
        self.bins: torch.Tensor
        self.register_buffer("bins", torch.arange(BINS, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spread = self.boxes(x).flatten(2).unflatten(1, (4, BINS)).softmax(2)
        sides = (spread * self.bins.view(1, 1, BINS, 1)).sum(2) / BINS
        return torch.cat([sides, self.classes(x).flatten(2).sigmoid()], 1)


class Detector(nn.Module):
    """[batch, 3, H, W] → [batch, 4 + classes, anchors], all between 0 and 1."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d, e = WIDTHS
        self.stem = nn.Sequential(Conv(3, a, 3, 2), Conv(a, b, 3, 2), Split(b, b, shortcut=True))
        self.third = nn.Sequential(Conv(b, c, 3, 2), Split(c, c, shortcut=True))
        self.fourth = nn.Sequential(Conv(c, d, 3, 2), Split(d, d, shortcut=True))
        self.fifth = nn.Sequential(Conv(d, e, 3, 2), Split(e, e, shortcut=True), Pools(e))
        self.up = nn.Upsample(scale_factor=2)
        self.down_to_4, self.down_to_3 = Split(e + d, d, shortcut=False), Split(d + c, c, shortcut=False)
        self.shrink_3, self.shrink_4 = Conv(c, c, 3, 2), Conv(d, d, 3, 2)
        self.up_to_4, self.up_to_5 = Split(c + d, d, shortcut=False), Split(d + e, e, shortcut=False)
        self.heads = nn.ModuleList([Head(c), Head(d), Head(e)])

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        third = self.third(self.stem(pixels))
        fourth = self.fourth(third)
        fifth = self.fifth(fourth)
        middle = self.down_to_4(torch.cat([self.up(fifth), fourth], 1))
        small = self.down_to_3(torch.cat([self.up(middle), third], 1))
        medium = self.up_to_4(torch.cat([self.shrink_3(small), middle], 1))
        large = self.up_to_5(torch.cat([self.shrink_4(medium), fifth], 1))
        return torch.cat([head(x) for head, x in zip(self.heads, (small, medium, large), strict=True)], 2)


def detector(photos: torch.Tensor) -> nn.Module:
    """Random weights; batch norms have the statistics of `photos`, so that every layer's output has a width of one."""
    network = Detector()
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.momentum = None
        network.train()
        network(photos)
    return network.eval()
