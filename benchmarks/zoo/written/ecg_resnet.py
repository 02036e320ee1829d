"""1-D ResNet (ECG)."""

from torch import nn


class Block(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(before, width, 7, stride, 3, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.Conv1d(width, width, 7, 1, 3, bias=False),
            nn.BatchNorm1d(width),
        )
        self.short = nn.Conv1d(before, width, 1, stride)

    def forward(self, x):
        return nn.functional.relu(self.body(x) + self.short(x))


class ECG(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            Block(12, 32, 2), Block(32, 64, 2), Block(64, 96, 2), nn.AdaptiveAvgPool1d(1), nn.Flatten()
        )
        self.last = nn.Linear(96, 9)

    def forward(self, x):
        return self.last(self.body(x)).sigmoid()


def network():
    return ECG()
