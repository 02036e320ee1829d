"""QuartzNet."""

from torch import nn


class Block(nn.Module):
    def __init__(self, before, width, kernel):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(before, before, kernel, padding=kernel // 2, groups=before, bias=False),
            nn.Conv1d(before, width, 1, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width, bias=False),
            nn.Conv1d(width, width, 1, bias=False),
            nn.BatchNorm1d(width),
        )
        self.short = nn.Sequential(nn.Conv1d(before, width, 1, bias=False), nn.BatchNorm1d(width))

    def forward(self, x):
        return nn.functional.relu(self.body(x) + self.short(x))


def network():
    return nn.Sequential(
        nn.Conv1d(64, 64, 33, 2, 16, bias=False),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        Block(64, 64, 33),
        Block(64, 96, 39),
        Block(96, 96, 51),
        nn.Conv1d(96, 29, 1),
        nn.LogSoftmax(1),
    )
