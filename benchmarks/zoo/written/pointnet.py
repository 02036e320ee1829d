"""PointNet."""

import torch
from torch import nn


def shared(*widths):
    return nn.Sequential(
        *(layer for a, b in zip(widths, widths[1:]) for layer in (nn.Conv1d(a, b, 1), nn.BatchNorm1d(b), nn.ReLU()))
    )


class PointNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.turn, self.turned = shared(3, 32, 64), nn.Linear(64, 9)
        self.body = shared(3, 32, 64)
        self.last = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 10))

    def forward(self, x):
        x = x.transpose(1, 2)
        matrix = self.turned(self.turn(x).max(2).values).view(-1, 3, 3) * 0.1 + torch.eye(3)
        return self.last(self.body(torch.bmm(matrix, x)).max(2).values).log_softmax(1)


def network():
    return PointNet()
