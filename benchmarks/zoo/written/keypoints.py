"""Keypoints by soft argmax."""

import torch
from torch import nn


class Keypoints(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 7, 3, 1, 1))

    def forward(self, x):
        maps = self.body(x)
        share = (4 * maps).flatten(2).softmax(2).view_as(maps)
        across = torch.linspace(0, 1, maps.shape[3], device=x.device)
        down = torch.linspace(0, 1, maps.shape[2], device=x.device)
        return torch.stack([(share.sum(2) * across).sum(2), (share.sum(3) * down).sum(2)], 2)


def network():
    return Keypoints()
