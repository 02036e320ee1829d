"""Conv-TasNet."""

from torch import nn


class Block(nn.Module):
    def __init__(self, width, dilation):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(width, 2 * width, 1),
            nn.PReLU(),
            nn.GroupNorm(1, 2 * width, eps=1e-8),
            nn.Conv1d(2 * width, 2 * width, 3, padding=dilation, dilation=dilation, groups=2 * width),
            nn.PReLU(),
            nn.GroupNorm(1, 2 * width, eps=1e-8),
            nn.Conv1d(2 * width, width, 1),
        )

    def forward(self, x):
        return x + self.body(x)


class TasNet(nn.Module):
    def __init__(self, width=64, sources=2):
        super().__init__()
        self.sources = sources
        self.encode, self.decode = (
            nn.Conv1d(1, width, 16, 8, bias=False),
            nn.ConvTranspose1d(width, 1, 16, 8, bias=False),
        )
        self.body = nn.Sequential(
            *(Block(width, 2**n) for n in range(5)), nn.Conv1d(width, sources * width, 1), nn.Sigmoid()
        )

    def forward(self, x):
        seen = self.encode(x).relu()
        masks = self.body(seen).unflatten(1, (self.sources, -1))
        heard = self.decode((masks * seen.unsqueeze(1)).flatten(0, 1))
        return heard.unflatten(0, (-1, self.sources)).squeeze(2)


def network():
    return TasNet()
