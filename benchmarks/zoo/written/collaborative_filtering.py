"""Neural collaborative filtering."""

import torch
from torch import nn


class Ncf(nn.Module):
    def __init__(self):
        super().__init__()
        self.users, self.items, self.users_2, self.items_2 = (nn.Embedding(count, 8) for count in (50, 80, 50, 80))
        self.deep, self.last = (
            nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU()),
            nn.Linear(16, 1),
        )

    def forward(self, user, item):
        deep = self.deep(torch.cat([self.users_2(user), self.items_2(item)], -1))
        return self.last(torch.cat([self.users(user) * self.items(item), deep], -1)).sigmoid().squeeze(-1)


def network():
    return Ncf()
