"""YOLO-like detector."""

import torch
from torch import nn

ACT = nn.SiLU(inplace=True)  # one for all, as Ultralytics has it


class Conv(nn.Module):
    act = ACT

    def __init__(self, before, width, kernel=1, stride=1):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(before, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width)
        self.act = ACT

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, width, add):
        super().__init__()
        self.cv1, self.cv2, self.add = Conv(width, width, 3), Conv(width, width, 3), add

    def forward(self, x):
        return x + self.cv2(self.cv1(x)) if self.add else self.cv2(self.cv1(x))


class C2f(nn.Module):
    def __init__(self, before, width, add=True):
        super().__init__()
        self.half = width // 2
        self.cv1, self.cv2 = Conv(before, width), Conv(3 * self.half, width)
        self.m = nn.ModuleList([Bottleneck(self.half, add)])

    def forward(self, x):
        y = list(self.cv1(x).chunk(2, 1))
        y.extend(m(y[-1]) for m in self.m)
        return self.cv2(torch.cat(y, 1))


class SPPF(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.cv1, self.cv2, self.m = Conv(width, width // 2), Conv(2 * width, width), nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        y = [self.cv1(x)]
        y.extend(self.m(y[-1]) for _ in range(3))
        return self.cv2(torch.cat(y, 1))


class DFL(nn.Module):
    def __init__(self, bins=16):
        super().__init__()
        self.conv, self.bins = nn.Conv2d(bins, 1, 1, bias=False).requires_grad_(False), bins
        self.conv.weight.data[:] = torch.arange(bins, dtype=torch.float).view(1, bins, 1, 1)

    def forward(self, x):
        b, _, a = x.shape
        return self.conv(x.view(b, 4, self.bins, a).transpose(2, 1).softmax(1)).view(b, 4, a)


class Detect(nn.Module):
    shape = None
    anchors, strides = torch.empty(0), torch.empty(0)

    def __init__(self, classes, widths):
        super().__init__()
        self.classes, self.stride, self.dfl = classes, (8, 16, 32), DFL()
        self.cv2 = nn.ModuleList([nn.Sequential(Conv(w, 32, 3), nn.Conv2d(32, 64, 1)) for w in widths])
        self.cv3 = nn.ModuleList([nn.Sequential(Conv(w, 32, 3), nn.Conv2d(32, classes, 1)) for w in widths])

    def forward(self, maps):
        x = [torch.cat([a(m), b(m)], 1) for a, b, m in zip(self.cv2, self.cv3, maps)]
        if self.shape != x[0].shape:
            self.anchors, self.strides = self.grid(x)
            self.shape = x[0].shape
        box, cls = torch.cat([m.view(m.shape[0], 64 + self.classes, -1) for m in x], 2).split((64, self.classes), 1)
        lt, rb = self.dfl(box).chunk(2, 1)
        a, b = self.anchors - lt, self.anchors + rb
        return torch.cat([torch.cat([(a + b) / 2, b - a], 1) * self.strides, cls.sigmoid()], 1)

    def grid(self, maps):
        points, strides = [], []
        for m, stride in zip(maps, self.stride):
            h, w = m.shape[-2:]
            y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
            points.append(torch.stack((x, y), -1).view(-1, 2))
            strides.append(torch.full((h * w, 1), float(stride)))
        return torch.cat(points).transpose(0, 1).unsqueeze(0), torch.cat(strides).transpose(0, 1)


class Yolo(nn.Module):
    def __init__(self, classes=8):
        super().__init__()
        self.stem = nn.Sequential(Conv(3, 16, 3, 2), Conv(16, 24, 3, 2), C2f(24, 24))
        self.p3, self.p4 = (
            nn.Sequential(Conv(24, 32, 3, 2), C2f(32, 32)),
            nn.Sequential(Conv(32, 48, 3, 2), C2f(48, 48)),
        )
        self.p5 = nn.Sequential(Conv(48, 64, 3, 2), C2f(64, 64), SPPF(64))
        self.up = nn.Upsample(None, 2, "nearest")
        self.n4, self.n3 = C2f(112, 48, False), C2f(80, 32, False)
        self.detect = Detect(classes, (32, 48, 64))

    def forward(self, pixels):
        p3 = self.p3(self.stem(pixels))
        p4 = self.p4(p3)
        p5 = self.p5(p4)
        n4 = self.n4(torch.cat([self.up(p5), p4], 1))
        n3 = self.n3(torch.cat([self.up(n4), p3], 1))
        return self.detect([n3, n4, p5])


def network():
    return Yolo()
