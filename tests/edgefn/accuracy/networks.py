"""Three networks in NumPy, with inputs of any size, and how to break them: what a gate must tell apart.

An artifact is a function of inputs, as its network is, so that other sizes, other orders and state can be wrong too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgefn.accuracy import judging
from edgefn.accuracy.judge import judge
from edgefn.accuracy.judging import Functions
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import Judging, Network
from edgefn.accuracy.verdict import Agreement
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import TensorSpec

Arrays = Mapping[str, NDArray[Any]]
Run = Callable[[Arrays], dict[str, NDArray[Any]]]
SAMPLES = 16


@dataclass
class Subject:
    """A network with its samples and its trials at other sizes, and what it says of its outputs."""

    run: Run
    outputs: dict[str, TensorSpec]
    samples: list[Arrays]
    sizes: list[Arrays] = field(default_factory=list)
    network: Network = field(default_factory=Network)

    @property
    def pairs(self) -> Pairs:
        samples, sizes = (
            tuple(GoldenSample(inputs, self.run(inputs)) for inputs in given) for given in (self.samples, self.sizes)
        )
        return Pairs(samples=samples, sizes=sizes)

    def judging(self, accuracy: Accuracy | None = None, functions: Functions | None = None) -> Judging:
        """Return what the build would find."""
        return judging.found(
            "net", self.outputs, self.pairs.samples, accuracy or Accuracy(), network=self.network, functions=functions
        )

    def judge(self, artifact: Run, precision: str = "fp32", accuracy: Accuracy | None = None) -> Agreement:
        """Judge an `artifact` of the network."""
        return judge(_Session(artifact), self.pairs, self.judging(accuracy), precision)


class _Session:
    def __init__(self, run: Run) -> None:
        self._run = run

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        return self._run(inputs)


def detector() -> Subject:
    """Boxes in pixels and scores 0..1 in one tensor [batch, cells, 4 + 2], of a picture of any size."""
    random = np.random.default_rng(1)

    def run(inputs: Arrays) -> dict[str, NDArray[Any]]:
        x = inputs["x"]  # [batch, height, width], cells of 4x4
        cells = x[:, : x.shape[1] // 4 * 4, : x.shape[2] // 4 * 4]
        cells = cells.reshape(len(x), x.shape[1] // 4, 4, x.shape[2] // 4, 4).transpose(0, 1, 3, 2, 4)
        flat = cells.reshape(len(x), -1, 16)
        centre = np.stack(np.meshgrid(*map(np.arange, cells.shape[1:3]), indexing="ij"), -1).reshape(-1, 2) * 4.0 + 2
        half = 8 + 300 * flat.mean(-1, keepdims=True)
        corners = np.concatenate([centre[None] * 8 - half, centre[None] * 8 + half], -1)
        edge = flat.max(-1) - flat.min(-1)
        scores = 1 / (1 + np.exp(-np.stack([40 * (edge - 0.93), 40 * (flat.mean(-1) - 0.75)], -1)))
        return {"y": np.concatenate([corners, scores], -1).astype(np.float32)}

    pictures = [{"x": random.random((1, 48, 64)).astype(np.float32) ** 2} for _ in range(SAMPLES)]
    for number, one in enumerate(pictures):
        one["x"][0, :8, 4 * (number % 12) : 4 * (number % 12) + 8] = 0.95
    shapes = [(1, 20, 28), (3, 48, 64), (1, 96, 128), (2, 52, 36)]
    return Subject(
        run,
        {"y": TensorSpec("float32", ("batch", "cells", 6))},
        list(pictures),
        [{"x": random.random(shape).astype(np.float32)} for shape in shapes],
        Network(joins={"y": (2, (0, 4, 6))}),
    )


KEPT = 12


def suppressed(run: Run, *, most: int = KEPT, overlap: float = 0.5) -> Run:
    """Return a detector's `run` with non-maximum suppression: the `most` surest boxes, none of which share more than
    `overlap`, as rows [KEPT, 4 + 1], zeros where there are fewer.
    """

    def suppressing(inputs: Arrays) -> dict[str, NDArray[Any]]:
        return {"y": np.stack([_best(one, most, overlap) for one in run(inputs)["y"]])}

    return suppressing


def _best(found: NDArray[Any], most: int, overlap: float) -> NDArray[Any]:
    order = np.argsort(-found[:, 4], kind="stable")
    rows = np.zeros((KEPT, 5), np.float32)
    for place in range(most):
        if not order.size:
            break
        best = found[order[0]]
        rows[place] = best[:5]
        others = found[order, :4]
        shared = np.clip(np.minimum(best[2:4], others[:, 2:]) - np.maximum(best[:2], others[:, :2]), 0, None).prod(1)
        areas = (others[:, 2:] - others[:, :2]).prod(1)
        order = order[shared / (areas + areas[0] - shared) <= overlap]
    return rows


def finder() -> Subject:
    """Return the detector with its suppression inside: rows in the order of their scores."""
    inner = detector()
    return Subject(suppressed(inner.run), {"y": TensorSpec("float32", ("batch", KEPT, 5))}, inner.samples, inner.sizes)


SURE = 0.92


def lister() -> Subject:
    """Return the finder's boxes that are sure, as many as there are, of a picture of nothing and of full ones."""
    inner = finder()

    def run(inputs: Arrays) -> dict[str, NDArray[Any]]:
        (rows,) = inner.run(inputs)["y"]
        return {"y": rows[rows[:, 4] > SURE]}

    empty = {"x": np.zeros_like(inner.samples[0]["x"])}
    return Subject(run, {"y": TensorSpec("float32", ("found", 5))}, [empty, *inner.samples])


def regressor() -> Subject:
    """A map of temperatures, 295 K give or take 3, of any size."""
    random = np.random.default_rng(2)

    def run(inputs: Arrays) -> dict[str, NDArray[Any]]:
        x = inputs["x"].astype(np.float64)
        smooth = (x + np.roll(x, 1, -1) + np.roll(x, 1, -2)) / 3
        return {"y": (295 + 3 * np.tanh(smooth)).astype(np.float32)}

    def wave(shape: tuple[int, ...]) -> NDArray[Any]:
        height, width = np.mgrid[0 : shape[-2], 0 : shape[-1]] / 9
        waves = np.sin(height * random.uniform(0.2, 2) + width * random.uniform(0.2, 2) + random.uniform(0, 6))
        noisy: NDArray[Any] = (waves[None] + random.normal(0, 0.2, shape[1:])).astype(np.float32)
        return noisy

    def draw(shape: tuple[int, ...]) -> Arrays:
        return {"x": np.stack([wave(shape) for _ in range(shape[0])])}

    shapes = [(1, 1, 9, 31), (2, 1, 32, 32), (1, 1, 80, 48)]
    return Subject(
        run,
        {"y": TensorSpec("float32", ("batch", 1, "height", "width"))},
        [draw((1, 1, 32, 32)) for _ in range(SAMPLES)],
        [draw(shape) for shape in shapes],
    )


WORDS, TAGS = 50, 5


def tagger() -> Subject:
    """Class scores of the words of a text of any length; forbidden classes are masked with -1e9."""
    random = np.random.default_rng(3)
    table = random.normal(0, 1, (WORDS, 12))
    head = random.normal(0, 1, (12, TAGS))
    positions = random.normal(0, 0.3, (64, 12))
    forbidden = random.random((WORDS, TAGS)) < 0.3
    forbidden[:, 0] = False

    def run(inputs: Arrays) -> dict[str, NDArray[Any]]:
        tokens = inputs["tokens"]
        hidden = table[tokens] + positions[: tokens.shape[1]]
        hidden = hidden + np.concatenate([np.zeros_like(hidden[:, :1]), hidden[:, :-1]], 1) / 2
        scores = (hidden @ head).astype(np.float32)
        return {"y": np.where(forbidden[tokens], np.float32(-1e9), scores)}

    lengths = [(1, 5), (4, 12), (2, 31), (1, 60)]
    return Subject(
        run,
        {"y": TensorSpec("float32", ("batch", "length", TAGS))},
        [{"tokens": random.integers(0, WORDS, (2, 12))} for _ in range(SAMPLES)],
        [{"tokens": random.integers(0, WORDS, shape)} for shape in lengths],
        Network(),
    )


def changed(run: Run, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Run:
    """Return `run` with its output "y" changed."""
    return lambda inputs: {"y": np.asarray(change(run(inputs)["y"].copy()), np.float32)}
