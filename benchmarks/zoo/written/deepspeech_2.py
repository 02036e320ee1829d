"""DeepSpeech 2."""

from torch import nn


class DeepSpeech(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, (11, 11), (2, 2), (5, 5)),
            nn.BatchNorm2d(16),
            nn.Hardtanh(0, 20),
            nn.Conv2d(16, 16, (11, 11), (2, 1), (5, 5)),
            nn.BatchNorm2d(16),
            nn.Hardtanh(0, 20),
        )
        self.rnn = nn.GRU(160, 64, 2, bidirectional=True)
        self.last = nn.Linear(128, 29)

    def forward(self, x):
        x = self.body(x).flatten(1, 2).permute(2, 0, 1)
        found, _ = self.rnn(x)
        return self.last(found).log_softmax(2)


def network():
    return DeepSpeech()
