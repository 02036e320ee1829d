"""TabNet."""

import torch
from torch import nn


class Sparsemax(nn.Module):
    def forward(self, x):
        ordered, _ = torch.sort(x, dim=-1, descending=True)
        sums, places = ordered.cumsum(-1) - 1, torch.arange(1, x.shape[-1] + 1, device=x.device)
        support = (places * ordered > sums).sum(-1, keepdim=True)
        return torch.clamp(x - sums.gather(-1, support - 1) / support, min=0)


class Glu(nn.Module):
    def __init__(self, before, width):
        super().__init__()
        self.body, self.norm = nn.Linear(before, 2 * width, bias=False), nn.BatchNorm1d(2 * width)

    def forward(self, x):
        return nn.functional.glu(self.norm(self.body(x)))


class TabNet(nn.Module):
    def __init__(self, width=8, steps=3):
        super().__init__()
        self.width, self.norm, self.shared = width, nn.BatchNorm1d(10), Glu(10, 2 * width)
        self.own = nn.ModuleList([Glu(2 * width, 2 * width) for _ in range(steps + 1)])
        self.attend = nn.ModuleList(
            [nn.Sequential(nn.Linear(width, 10, bias=False), nn.BatchNorm1d(10)) for _ in range(steps)]
        )
        self.sparsemax, self.last = Sparsemax(), nn.Linear(width, 3)

    def forward(self, x):
        x = self.norm(x)
        prior, total = torch.ones_like(x), 0
        seen = self.own[0](self.shared(x))
        for attend, own in zip(self.attend, list(self.own)[1:]):
            mask = self.sparsemax(attend(seen[:, self.width :]) * prior)
            prior = prior * (1.3 - mask)
            seen = own(self.shared(mask * x))
            total = total + seen[:, : self.width].relu()
        return self.last(total)


def network():
    return TabNet()
