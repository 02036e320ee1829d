"""CenterNet-like heat map."""

from torch import nn


class Center(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 24, 4, 2, 1),
            nn.BatchNorm2d(24),
            nn.ReLU(),
        )
        self.heat, self.size, self.offset = (nn.Conv2d(24, count, 1) for count in (5, 2, 2))

    def forward(self, x):
        x = self.body(x)
        heat = self.heat(x).sigmoid()
        peaks = nn.functional.max_pool2d(heat, 3, 1, 1)
        scores, places = (heat * (peaks == heat)).flatten(1).topk(10)
        cells = heat.shape[2] * heat.shape[3]
        sizes = self.size(x).exp().flatten(2).gather(2, (places % cells).unsqueeze(1).expand(-1, 2, -1))
        return scores, sizes


def network():
    return Center()
