"""Small networks after public architectures, each with inputs of its kind: what quantisation is tried on.

Widths and sizes are small, so that a whole table takes minutes. Weights are random but for EfficientNet-Lite0's; batch
normalisation has seen inputs, so that outputs move with the input as a trained network's do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Inputs = Mapping[str, NDArray[Any]]
Shape = tuple[str | int, ...]


@dataclass(frozen=True)
class Architecture:
    """A network and its inputs: `draw(seed)` is one sample; `shapes` are the declared ones."""

    build: Callable[[], nn.Module]
    draw: Callable[[int], Inputs]
    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, str]


def picture(channels: int = 3, side: int = 64) -> tuple[Callable[[int], Inputs], dict[str, Shape]]:
    """Waves, an edge and a little noise."""

    def draw(seed: int) -> Inputs:
        random = np.random.default_rng(seed)
        y, x = np.mgrid[0:side, 0:side] * (4.0 / side)
        planes = []
        for _ in range(channels):
            a, b, c = random.uniform(-3, 3, 3)
            planes.append(np.sin(a * x + b * y + c) + random.uniform(-1, 1) * (x > random.uniform(0, 4)))
        return {"x": (np.stack(planes) + random.normal(0, 0.1, (channels, side, side)))[None].astype(np.float32)}

    return draw, {"x": ("batch", channels, side, side)}


def sound(channels: int = 1, length: int = 2000) -> tuple[Callable[[int], Inputs], dict[str, Shape]]:
    """A few tones and a little noise."""

    def draw(seed: int) -> Inputs:
        random = np.random.default_rng(seed)
        time = np.arange(length)
        tones = [
            sum(np.sin(time * random.uniform(0.01, 0.5) + random.uniform(0, 6)) for _ in range(3))
            for _ in range(channels)
        ]
        return {"x": (np.stack(tones) + random.normal(0, 0.1, (channels, length)))[None].astype(np.float32)}

    return draw, {"x": ("batch", channels, length)}


def clip(frames: int = 8, side: int = 32) -> tuple[Callable[[int], Inputs], dict[str, Shape]]:
    """A picture that moves."""
    still, _ = picture(3, side)

    def draw(seed: int) -> Inputs:
        frame = still(seed)["x"]
        moved = [np.roll(frame, shift * (1 + seed % 3), axis=-1) for shift in range(frames)]
        return {"x": np.stack(moved, axis=2)}

    return draw, {"x": ("batch", 3, frames, side, side)}


def rows(*sizes: int) -> tuple[Callable[[int], Inputs], dict[str, Shape]]:
    """Numbers of a normal distribution."""

    def draw(seed: int) -> Inputs:
        return {"x": np.random.default_rng(seed).standard_normal((1, *sizes)).astype(np.float32)}

    return draw, {"x": ("batch", *sizes)}


def words(length: int = 24, vocabulary: int = 200) -> tuple[Callable[[int], Inputs], dict[str, Shape]]:
    """Whole numbers, and how many of them count."""

    def draw(seed: int) -> Inputs:
        random = np.random.default_rng(seed)
        mask = (np.arange(length) < random.integers(length // 2, length + 1))[None]
        return {"x": random.integers(0, vocabulary, (1, length)), "mask": mask}

    return draw, {"x": ("batch", length), "mask": ("batch", length)}


def convolution(inside: int, out: int, kernel: int = 3, **options: Any) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU (or `act=`), of `dims=` spatial dimensions."""
    from torch import nn

    dims, act = options.pop("dims", 2), options.pop("act", nn.ReLU)
    options.setdefault("padding", kernel // 2 * options.get("dilation", 1))
    convolve = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1](inside, out, kernel, bias=False, **options)
    return nn.Sequential(convolve, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[dims - 1](out), act())


def settled(network: nn.Module, draw: Callable[[int], Inputs]) -> nn.Module:
    """`network` with He's weights, its batch normalisation having seen 16 inputs; in eval mode."""
    import torch
    from torch import nn

    normalisations = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, normalisations):
            module.momentum = None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    samples = [draw(seed) for seed in range(1000, 1016)]
    joined = {name: torch.from_numpy(np.concatenate([one[name] for one in samples])) for name in samples[0]}
    with torch.no_grad():
        for module in network.modules():
            module.train(isinstance(module, normalisations))
        network(*joined.values())
    return network.eval()


def residual(dims: int = 2, width: int = 16, bottleneck: bool = False) -> Callable[[], nn.Module]:
    """ResNet: He et al., 2015; of one dimension for an ECG, of three for video."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inside: int, out: int, stride: int) -> None:
            super().__init__()
            middle = out // 4 if bottleneck else out
            first = [convolution(inside, middle, 1, dims=dims)] if bottleneck else []
            start = middle if bottleneck else inside
            last = convolution(middle, out, 1 if bottleneck else 3, dims=dims, act=nn.Identity)
            self.body = nn.Sequential(*first, convolution(start, middle, 3, dims=dims, stride=stride), last)
            self.skip = convolution(inside, out, 1, dims=dims, stride=stride, act=nn.Identity)

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(self.body(x) + self.skip(x))

    def build() -> nn.Module:
        channels = {1: 2, 2: 3, 3: 3}[dims]
        blocks = [Block(width * 2 ** max(0, n - 1), width * 2**n, 1 if n == 0 else 2) for n in range(3)]
        pool = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[dims - 1](1)
        return nn.Sequential(
            convolution(channels, width, 3, dims=dims), *blocks, pool, nn.Flatten(), nn.Linear(width * 4, 10)
        )

    return build


def inverted(act: str = "ReLU6", squeeze: bool = False) -> Callable[[], nn.Module]:
    """MobileNetV2 (Sandler et al., 2018); with Hardswish and gates MobileNetV3 (Howard et al., 2019)."""
    from torch import nn

    activation = getattr(nn, act)

    class Gate(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.gate = nn.Sequential(
                *(nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width // 4, 1), nn.ReLU()),
                *(nn.Conv2d(width // 4, width, 1), nn.Hardsigmoid()),
            )

        def forward(self, x: Any) -> Any:
            return x * self.gate(x)

    class Block(nn.Module):
        def __init__(self, inside: int, out: int, stride: int) -> None:
            super().__init__()
            wide = inside * 4
            self.body = nn.Sequential(
                convolution(inside, wide, 1, act=activation),
                convolution(wide, wide, 3, stride=stride, groups=wide, act=activation),
                *([Gate(wide)] if squeeze else []),
                convolution(wide, out, 1, act=nn.Identity),
            )
            self.joined = inside == out and stride == 1

        def forward(self, x: Any) -> Any:
            return x + self.body(x) if self.joined else self.body(x)

    def build() -> nn.Module:
        blocks = [Block(*one) for one in ((16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 40, 2), (40, 40, 1))]
        end = convolution(40, 160, 1, act=activation)
        start = convolution(3, 16, 3, stride=2, act=activation)
        return nn.Sequential(start, *blocks, end, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(160, 20))

    return build


def joined() -> nn.Module:
    """DenseNet (Huang et al., 2017) and the branches of Inception (Szegedy et al., 2015), one after the other."""
    import torch
    from torch import nn

    class Dense(nn.Module):
        def __init__(self, inside: int, growth: int, count: int) -> None:
            super().__init__()
            self.layers = nn.ModuleList(convolution(inside + n * growth, growth) for n in range(count))

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = torch.cat([x, layer(x)], 1)
            return x

    class Branches(nn.Module):
        def __init__(self, inside: int) -> None:
            super().__init__()
            self.one, self.three = convolution(inside, 16, 1), convolution(inside, 16, 3)
            self.five = nn.Sequential(convolution(inside, 8, 1), convolution(8, 16, 5))
            self.pool = nn.MaxPool2d(3, 1, 1)

        def forward(self, x: Any) -> Any:
            return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1)

    return nn.Sequential(
        *(convolution(3, 16, 3, stride=2), Dense(16, 12, 3), nn.AvgPool2d(2), Branches(52), convolution(100, 64, 1)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )


def convnext() -> nn.Module:
    """ConvNeXt (Liu et al., 2022): large depthwise kernels, layer normalisation, GELU, scaled residuals."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
            self.norm, self.wide = nn.LayerNorm(width), nn.Linear(width, 4 * width)
            self.narrow, self.act = nn.Linear(4 * width, width), nn.GELU()

        def forward(self, x: Any) -> Any:
            y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
            return x + self.narrow(self.act(self.wide(y))).permute(0, 3, 1, 2)

    return nn.Sequential(
        *(nn.Conv2d(3, 32, 4, 4), Block(32), Block(32), nn.Conv2d(32, 64, 2, 2), Block(64)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )


def unet(transposed: bool = True) -> Callable[[], nn.Module]:
    """U-Net (Ronneberger et al., 2015), up by a transposed convolution or by interpolation."""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Sequential(convolution(3, 16), convolution(16, 16))
            self.second = nn.Sequential(nn.MaxPool2d(2), convolution(16, 32), convolution(32, 32))
            self.third = nn.Sequential(nn.MaxPool2d(2), convolution(32, 64), convolution(64, 64, dilation=2))
            self.up2, self.up1 = self.up(64, 32), self.up(32, 16)
            self.back2, self.back1 = convolution(64, 32), convolution(32, 16)
            self.leave = nn.Conv2d(16, 4, 1)

        @staticmethod
        def up(inside: int, out: int) -> nn.Module:
            if transposed:
                return nn.ConvTranspose2d(inside, out, 2, 2)
            return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(inside, out, 1))

        def forward(self, x: Any) -> Any:
            one = self.first(x)
            two = self.second(one)
            deep = self.up2(self.third(two))
            deep = self.up1(self.back2(torch.cat([two, deep], 1)))
            return self.leave(self.back1(torch.cat([one, deep], 1)))

    return Net


def detector() -> nn.Module:
    """YOLO as it is exported: boxes in pixels and scores from 0 to 1 in one tensor."""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = (3, 8, 16, 32)
            self.body = nn.Sequential(
                *(convolution(a, b, 3, stride=2, act=nn.SiLU) for a, b in itertools.pairwise(widths))
            )
            self.head = nn.Sequential(convolution(32, 32, act=nn.SiLU), nn.Conv2d(32, 9, 1))

        def forward(self, x: Any) -> Any:
            raw = self.head(self.body(x)).flatten(2)
            boxes = torch.cat([raw[:, :2].sigmoid() * 640, raw[:, 2:4].exp() * 16], 1)
            return torch.cat([boxes, raw[:, 4:].sigmoid()], 1).transpose(1, 2)

    return Net()


def upscaler() -> nn.Module:
    """ESPCN: Shi et al., 2016."""
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(1, 64, 5, padding=2), nn.Tanh(), nn.Conv2d(64, 32, 3, padding=1), nn.Tanh()),
        *(nn.Conv2d(32, 4, 3, padding=1), nn.PixelShuffle(2)),
    )


def denoiser() -> nn.Module:
    """DnCNN (Zhang et al., 2017): the noise is what is learnt."""
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            middle = [convolution(32, 32) for _ in range(4)]
            self.body = nn.Sequential(convolution(1, 32), *middle, nn.Conv2d(32, 1, 3, padding=1))

        def forward(self, x: Any) -> Any:
            return x - self.body(x)

    return Net()


def raw_sound() -> nn.Module:
    """M5: Dai et al., 2016."""
    from torch import nn

    widths = (32, 32, 64)
    layers: list[nn.Module] = [convolution(1, 32, 80, dims=1, stride=4, padding=0), nn.MaxPool1d(4)]
    for inside, out in itertools.pairwise(widths):
        layers += [convolution(inside, out, 3, dims=1, padding=0), nn.MaxPool1d(4)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 5))


def dilated() -> nn.Module:
    """A temporal convolutional network: Bai et al., 2018."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, width: int, dilation: int) -> None:
            super().__init__()
            self.pad = nn.ConstantPad1d((2 * dilation, 0), 0.0)
            self.layer = convolution(width, width, 3, dims=1, dilation=dilation, padding=0)

        def forward(self, x: Any) -> Any:
            return x + self.layer(self.pad(x))

    return nn.Sequential(nn.Conv1d(8, 32, 1), *(Block(32, 2**n) for n in range(4)), nn.Conv1d(32, 6, 1))


def recurrent() -> nn.Module:
    """CRNN (Shi et al., 2015): convolutions, then a GRU along the width."""
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                *(convolution(1, 16), nn.MaxPool2d(2), convolution(16, 32), nn.MaxPool2d((2, 1)), convolution(32, 64)),
                nn.AdaptiveAvgPool2d((1, None)),
            )
            self.gru, self.leave = nn.GRU(64, 32, batch_first=True, bidirectional=True), nn.Linear(64, 20)

        def forward(self, x: Any) -> Any:
            columns = self.body(x).squeeze(2).transpose(1, 2)
            return self.leave(self.gru(columns)[0])

    return Net()


def vision_transformer() -> nn.Module:
    """ViT: Dosovitskiy et al., 2020."""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.places = nn.Conv2d(3, 48, 8, 8), nn.Parameter(torch.randn(1, 64, 48) * 0.1)
            layer = nn.TransformerEncoderLayer(48, 4, 96, 0.0, "gelu", batch_first=True, norm_first=True)
            self.layers = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
            self.leave = nn.Linear(48, 10)

        def forward(self, x: Any) -> Any:
            return self.leave(self.layers(self.patches(x).flatten(2).transpose(1, 2) + self.places).mean(1))

    return Net()


def tagger() -> nn.Module:
    """A transformer's encoder over words, with those masked that do not count."""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.heads = nn.Embedding(200, 48), 4
            self.qkv, self.out = nn.Linear(48, 144), nn.Linear(48, 48)
            self.wide, self.narrow, self.leave = nn.Linear(48, 128), nn.Linear(128, 48), nn.Linear(48, 9)
            self.norm1, self.norm2 = nn.LayerNorm(48), nn.LayerNorm(48)

        def forward(self, x: Any, mask: Any) -> Any:
            rows = self.table(x)
            q, k, v = (one.unflatten(2, (self.heads, -1)).transpose(1, 2) for one in self.qkv(rows).chunk(3, 2))
            scores = (q @ k.transpose(2, 3)) * 0.3
            scores = scores.masked_fill(~mask[:, None, None], -1e9).softmax(-1)
            rows = self.norm1(rows + self.out((scores @ v).transpose(1, 2).flatten(2)))
            rows = self.norm2(rows + self.narrow(torch.relu(self.wide(rows))))
            return self.leave(rows)

    return Net()


def perceptron() -> nn.Module:
    """A table's columns."""
    from torch import nn

    return nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1))


def long_memory() -> nn.Module:
    """An LSTM over numbers."""
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.leave = nn.LSTM(12, 48, 2, batch_first=True), nn.Linear(48, 4)

        def forward(self, x: Any) -> Any:
            return self.leave(self.lstm(x)[0][:, -1])

    return Net()


def listed() -> Iterator[tuple[str, Architecture]]:
    """Each architecture by its name."""
    kinds: dict[str, tuple[Callable[[], Any], tuple[Callable[[int], Inputs], dict[str, Shape]]]] = {
        "resnet": (residual(), picture()),
        "resnet_bottleneck": (residual(width=32, bottleneck=True), picture()),
        "mobilenet_v2": (inverted(), picture()),
        "mobilenet_v3": (inverted("Hardswish", squeeze=True), picture()),
        "densenet_inception": (joined, picture()),
        "convnext": (convnext, picture()),
        "unet": (unet(), picture()),
        "unet_bilinear": (unet(transposed=False), picture()),
        "yolo": (detector, picture()),
        "espcn": (upscaler, picture(1)),
        "dncnn": (denoiser, picture(1)),
        "m5": (raw_sound, sound()),
        "ecg_resnet": (residual(1), sound(2, 500)),
        "tcn": (dilated, sound(8, 200)),
        "video_resnet": (residual(3), clip()),
        "crnn": (recurrent, picture(1)),
        "vit": (vision_transformer, picture()),
        "tagger": (tagger, words()),
        "perceptron": (perceptron, rows(32)),
        "lstm": (long_memory, rows(20, 12)),
    }
    for name, (build, (draw, shapes)) in kinds.items():
        first = draw(0)
        dtypes = {key: str(value.dtype) for key, value in first.items()}
        yield name, Architecture(_seeded(build, draw), draw, shapes, dtypes)


def _seeded(build: Callable[[], Any], draw: Callable[[int], Inputs]) -> Callable[[], Any]:
    def built() -> Any:
        import torch

        torch.manual_seed(0)
        return settled(build(), draw)

    return built
