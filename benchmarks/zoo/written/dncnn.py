"""DnCNN."""

from torch import nn


class DnCnn(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        middle = [
            layer
            for _ in range(4)
            for layer in (nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True))
        ]
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(True), *middle, nn.Conv2d(width, 1, 3, padding=1)
        )

    def forward(self, x):
        return x - self.body(x)


def network():
    return DnCnn()
