"""Two towers."""

import torch
from torch import nn


class Towers(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Sequential(nn.Embedding(50, 32), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 16))
        self.item = nn.Sequential(nn.Embedding(80, 32), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 16))

    def forward(self, user, item):
        a, b = nn.functional.normalize(self.user(user), dim=-1), nn.functional.normalize(self.item(item), dim=-1)
        return nn.functional.cosine_similarity(a, b, dim=-1)


def network():
    return Towers()
