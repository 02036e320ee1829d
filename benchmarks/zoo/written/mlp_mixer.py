"""MLP-Mixer on patches."""

from torch import nn


class Mix(nn.Module):
    def __init__(self, patches, width):
        super().__init__()
        self.a, self.b = nn.LayerNorm(width), nn.LayerNorm(width)
        self.across = nn.Sequential(nn.Linear(patches, 32), nn.GELU(), nn.Linear(32, patches))
        self.along = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))

    def forward(self, x):
        x = x + self.across(self.a(x).transpose(1, 2)).transpose(1, 2)
        return x + self.along(self.b(x))


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.body, self.last = (
            nn.Conv2d(3, 32, 8, 8),
            nn.Sequential(Mix(16, 32), Mix(16, 32)),
            nn.Linear(32, 10),
        )

    def forward(self, x):
        return self.last(self.body(self.enter(x).flatten(2).transpose(1, 2)).mean(1))


def network():
    return Mixer()
