"""TC-ResNet8."""

from torch import nn


class Block(nn.Module):
    def __init__(self, before, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(before, width, 9, 2, 4, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, 9, 1, 4, bias=False),
            nn.BatchNorm1d(width),
        )
        self.short = nn.Sequential(nn.Conv1d(before, width, 1, 2, bias=False), nn.BatchNorm1d(width), nn.ReLU())

    def forward(self, x):
        return nn.functional.relu(self.body(x) + self.short(x))


class TcResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(40, 16, 3, padding=1, bias=False), Block(16, 24), Block(24, 32), Block(32, 48)
        )
        self.last = nn.Conv1d(48, 12, 1)

    def forward(self, x):
        return self.last(self.body(x.squeeze(1)).mean(2, keepdim=True)).flatten(1)


def network():
    return TcResNet()
