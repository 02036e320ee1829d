"""VAE."""

import torch
from torch import nn


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.mean, self.log_variance = (
            nn.Sequential(nn.Linear(10, 32), nn.ReLU()),
            nn.Linear(32, 4),
            nn.Linear(32, 4),
        )
        self.decode = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x):
        seen = self.body(x)
        mean, log_variance = self.mean(seen), self.log_variance(seen)
        z = mean + torch.randn_like(mean) * torch.exp(log_variance / 2) if self.training else mean
        return {"again": self.decode(z), "mean": mean, "log_variance": log_variance}


def network():
    return Vae()
