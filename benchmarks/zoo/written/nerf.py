"""NeRF."""

import torch
from torch import nn


class Nerf(nn.Module):
    def __init__(self, rates=6):
        super().__init__()
        self.register_buffer("rates", 2.0 ** torch.arange(rates) * torch.pi)
        self.first = nn.Sequential(nn.Linear(3 + 6 * rates, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
        self.second, self.density, self.colour = nn.Linear(51 + 6 * rates, 48), nn.Linear(48, 1), nn.Linear(48, 3)

    def forward(self, x):
        waves = (x.unsqueeze(-1) * self.rates).flatten(1)
        seen = torch.cat([x, waves.sin(), waves.cos()], 1)
        body = self.second(torch.cat([self.first(seen), seen], 1)).relu()
        return {"density": self.density(body).relu(), "colour": self.colour(body).sigmoid()}


def network():
    return Nerf()
