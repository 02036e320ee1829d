"""Inputs that look like what the networks are made for: photos, sounds, texts, tables. Never imports torch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.zoo.network import Input, Network

Array = NDArray[Any]
Shape = tuple[int, ...]
PHOTOS = Path(__file__).parents[2] / "functions" / "classify_image" / "samples"
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
RATE = 16_000


def draw(network: Network, sizes: Mapping[str, int], seed: int) -> dict[str, Array]:
    """One call's inputs at these sizes; another seed, other inputs."""
    random = np.random.default_rng([seed, *sizes.values()])
    shapes = network.shapes(sizes)
    return {name: KINDS[one.kind](shapes[name], random, one).astype(one.dtype) for name, one in network.inputs.items()}


@functools.cache
def photos() -> tuple[Array, ...]:
    """Photos as float32 [height, width, 3] between 0 and 1, 200 pixels high."""
    found = []
    for path in sorted(PHOTOS.glob("*.jpg")):
        with PIL.Image.open(path) as opened:
            opened.thumbnail((300, 200))
            found.append(np.asarray(opened.convert("RGB"), np.float32) / 255)
    return tuple(found)


def image(shape: Shape, random: Generator, one: Input) -> Array:
    """[…, 3, height, width], normalised as ImageNet's: a crop of a photo for each."""
    crops = [_crop(shape[-2], shape[-1], random) for _ in range(int(np.prod(shape[:-3])))]
    return ((np.stack(crops) - MEAN) / DEVIATION).transpose(0, 3, 1, 2).reshape(shape)


def unit(shape: Shape, random: Generator, one: Input) -> Array:
    """[…, channels, height, width] between 0 and 1; one channel is grey."""
    crops = [_crop(shape[-2], shape[-1], random) for _ in range(int(np.prod(shape[:-3])))]
    pixels = np.stack(crops).transpose(0, 3, 1, 2)
    return (pixels.mean(1, keepdims=True) if shape[-3] == 1 else pixels).reshape(shape)


def video(shape: Shape, random: Generator, one: Input) -> Array:
    """[batch, 3, frames, height, width]: a window that moves over a photo."""
    clips = []
    for _ in range(shape[0]):
        large = (_crop(shape[3] + shape[2], shape[4] + shape[2], random) - MEAN) / DEVIATION
        clips.append(np.stack([large[t : t + shape[3], t : t + shape[4]] for t in range(shape[2])]))
    return np.stack(clips).transpose(0, 4, 1, 2, 3)


def _crop(height: int, width: int, random: Generator) -> Array:
    """[height, width, 3] of a random photo, at a random place and scale."""
    photo = photos()[int(random.integers(len(photos())))]
    share = random.uniform(0.3, 1)
    tall, wide = (max(2, int(length * share)) for length in photo.shape[:2])
    top, left = (
        int(random.integers(length - size + 1)) for length, size in zip(photo.shape, (tall, wide), strict=False)
    )
    piece = PIL.Image.fromarray((photo[top : top + tall, left : left + wide] * 255).astype(np.uint8))
    return np.asarray(piece.resize((width, height)), np.float32) / 255


def wave(shape: Shape, random: Generator, one: Input) -> Array:
    """[…, time]: three tones that rise and fall, and noise."""
    time = np.arange(shape[-1]) / RATE
    rows = []
    for _ in range(int(np.prod(shape[:-1]))):
        tones = [
            random.uniform(0.1, 1) * np.sin(2 * np.pi * random.uniform(80, 3000) * time + 6 * random.random())
            for _ in "abc"
        ]
        swell = 0.5 + 0.5 * np.sin(2 * np.pi * random.uniform(1, 20) * time + 6 * random.random())
        rows.append(sum(tones) * swell * random.uniform(0.1, 0.5) + random.normal(0, 0.01, shape[-1]))
    return np.stack(rows).reshape(shape)


def walk(shape: Shape, random: Generator, one: Input) -> Array:
    """[…, time, features]: random walks, each about as wide as any other."""
    steps = random.normal(0, 1, shape)
    walked: Array = np.cumsum(steps, axis=-2) / np.sqrt(shape[-2])
    return walked


def normal(shape: Shape, random: Generator, one: Input) -> Array:
    """Normal numbers."""
    return random.normal(0, 1, shape)


def uniform(shape: Shape, random: Generator, one: Input) -> Array:
    """Numbers from 0 to 1."""
    return random.random(shape)


def tokens(shape: Shape, random: Generator, one: Input) -> Array:
    """Whole numbers from 5 on, the small ones more often than the large; below 5 are special ones."""
    drawn: Array = 5 + ((one.high - 5) * random.random(shape) ** 2).astype(np.int64)
    return drawn


def codes(shape: Shape, random: Generator, one: Input) -> Array:
    """Whole numbers, all as often."""
    return random.integers(0, one.high, shape)


def mask(shape: Shape, random: Generator, one: Input) -> Array:
    """[batch, length]: ones, then zeros; the first row is ones only."""
    lengths = random.integers((shape[1] + 1) // 2, shape[1] + 1, shape[0])
    lengths[0] = shape[1]
    return np.arange(shape[1]) < lengths[:, None]


def ones(shape: Shape, random: Generator, one: Input) -> Array:
    """Ones."""
    return np.ones(shape)


def graph(shape: Shape, random: Generator, one: Input) -> Array:
    """[batch, nodes, nodes]: symmetric adjacency with loops, its rows' sums one."""
    edges = random.random(shape) < 0.3
    linked = edges | edges.transpose(0, 2, 1) | np.eye(shape[-1], dtype=bool)
    shares: Array = linked / linked.sum(-1, keepdims=True)
    return shares


KINDS: dict[str, Callable[[Shape, Generator, Input], Array]] = {
    one.__name__: one for one in (image, unit, video, wave, walk, normal, uniform, tokens, codes, mask, ones, graph)
}
