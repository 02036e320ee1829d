"""LSTM autoencoder."""

from torch import nn


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode, self.decode = nn.LSTM(6, 16, batch_first=True), nn.LSTM(16, 16, batch_first=True)
        self.last = nn.Linear(16, 6)

    def forward(self, x):
        _, (state, _) = self.encode(x)
        again = state[-1].unsqueeze(1).expand(-1, x.shape[1], -1)
        return self.last(self.decode(again)[0])


def network():
    return Autoencoder()
