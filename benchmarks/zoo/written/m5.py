"""M5."""

from torch import nn


class M5(nn.Module):
    def __init__(self, channels=32, classes=35):
        super().__init__()
        layers, before = [], 1
        for width, kernel, stride in ((channels, 80, 4), (channels, 3, 1), (2 * channels, 3, 1), (2 * channels, 3, 1)):
            layers += [nn.Conv1d(before, width, kernel, stride), nn.BatchNorm1d(width), nn.ReLU(), nn.MaxPool1d(4)]
            before = width
        self.body, self.last = nn.Sequential(*layers), nn.Linear(before, classes)

    def forward(self, x):
        x = self.body(x)
        return self.last(nn.functional.avg_pool1d(x, x.shape[-1]).permute(0, 2, 1)).log_softmax(2)


def network():
    return M5()
