"""Soft decision trees (NODE)."""

import torch
from torch import nn


class Trees(nn.Module):
    def __init__(self, trees=8, depth=4):
        super().__init__()
        self.depth = depth
        self.choose = nn.Parameter(torch.randn(10, trees * depth))
        self.thresholds, self.heat = nn.Parameter(torch.randn(trees, depth)), nn.Parameter(torch.ones(trees, depth))
        self.leaves = nn.Parameter(torch.randn(trees, 2**depth, 3))
        bits = torch.tensor([[(leaf >> level) & 1 for level in range(depth)] for leaf in range(2**depth)])
        self.register_buffer("bits", bits.float())

    def forward(self, x):
        seen = (x @ self.choose.softmax(0)).unflatten(1, (-1, self.depth))
        right = torch.sigmoid((seen - self.thresholds) * self.heat).unsqueeze(2)
        share = (self.bits * right + (1 - self.bits) * (1 - right)).prod(-1)
        return torch.einsum("btl,tlc->bc", share, self.leaves)


def network():
    return Trees()
