"""The LSTM and its training: scikit-learn's 1,797 scans, but for every fifth."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

EPOCHS = 12


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


def trained() -> nn.Module:
    """Trained for EPOCHS; some seconds."""
    digits = load_digits()
    chosen = torch.arange(len(digits.images)) % 5 != 0
    scans = torch.from_numpy(digits.images).float()[chosen] / 16
    labels = torch.from_numpy(digits.target)[chosen]
    network = Reader()
    optimizer = torch.optim.AdamW(network.parameters(), 5e-3)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(scans)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(network(scans[batch]), labels[batch]).backward()
            optimizer.step()
    return network.eval()
