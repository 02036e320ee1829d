"""Two networks and their training: scikit-learn's 1,797 scans, but for every fifth."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

EPOCHS = 12


class Encoder(nn.Module):
    """[batch, 8, 8] → [batch, 10]."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.enter = nn.Linear(8, width)
        self.places = nn.Parameter(torch.randn(1, 8, width) / 8)
        self.layers = nn.ModuleList([Layer(width) for _ in range(2)])
        self.leave = nn.Linear(8 * width, 10)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        x = self.enter(rows) + self.places
        for layer in self.layers:
            x = layer(x)
        return self.leave(x.flatten(1))


class Layer(nn.Module):
    """Attention and a perceptron, each after a norm and beside a shortcut (pre-LN)."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in self.query_key_value(self.before(x)).chunk(3, 2)
        )
        attended = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.perceptron(self.between(x))


class Reader(nn.Module):
    """[batch, 8, 8] → [batch, 10]: the scores after the last row."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, width, batch_first=True)
        self.leave = nn.Linear(width, 10)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(rows)
        scores: torch.Tensor = self.leave(states[:, -1])
        return scores


def trained(network: nn.Module, rate: float) -> nn.Module:
    """`network`, trained for EPOCHS at that learning rate; some seconds."""
    digits = load_digits()
    chosen = torch.arange(len(digits.images)) % 5 != 0
    scans = torch.from_numpy(digits.images).float()[chosen] / 16
    labels = torch.from_numpy(digits.target)[chosen]
    optimizer = torch.optim.AdamW(network.parameters(), rate)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(scans)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(network(scans[batch]), labels[batch]).backward()
            optimizer.step()
    return network.eval()
