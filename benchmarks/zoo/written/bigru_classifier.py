"""BiGRU classifier."""

from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(6, 32, batch_first=True, bidirectional=True)
        self.last = nn.Linear(64, 5)

    def forward(self, x):
        return self.last(self.rnn(x)[0][:, -1])


def network():
    return Classifier()
