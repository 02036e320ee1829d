"""CRNN (text in pictures)."""

from torch import nn


class Crnn(nn.Module):
    def __init__(self, classes=37):
        super().__init__()
        widths, layers, before = (16, 32, 48, 48, 64), [], 1
        for number, width in enumerate(widths):
            layers += [nn.Conv2d(before, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU(True)]
            layers += [nn.MaxPool2d(2)] if number < 2 else [nn.MaxPool2d((2, 1))]
            before = width
        self.body, self.rnn = nn.Sequential(*layers), nn.LSTM(64, 48, 2, bidirectional=True, batch_first=True)
        self.last = nn.Linear(96, classes)

    def forward(self, x):
        found, _ = self.rnn(self.body(x).squeeze(2).transpose(1, 2))
        return self.last(found).log_softmax(2)


def network():
    return Crnn()
