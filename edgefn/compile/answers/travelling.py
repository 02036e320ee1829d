"""Choose what of the samples travels in the bundle: some requests with eager's answers, or no sample at all.

A box holds its artifacts against them (docs/decisions/golden-inputs.md).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgefn import golden
from edgefn.accuracy.answers.record import Reference
from edgefn.compile.answers.reference import Answers
from edgefn.compile.samples.samples import spread
from edgefn.golden import GoldenSample
from edgefn.spec import FunctionSpec

MAX_REQUESTS = 8
"""Requests in a bundle: each is run once by every artifact, at every installation."""

MAX_BYTES = 8 * 2**20
"""And their bytes together."""


def chosen(answers: Answers | None, spec: FunctionSpec) -> tuple[list[Path], Reference]:
    """Return the requests that travel, as files, with eager's answers; none where the function keeps its samples.

    Nor of one that reaches the network or devices: asked on a box, it would act there.
    """
    if answers is None or not answers.fit or not spec.golden_inputs or spec.network or spec.devices:
        return [], Reference()
    numbers = spread(_fitting(answers), MAX_REQUESTS)
    known = answers.reference
    kept = Reference(
        tuple(known.asked[number] for number in numbers),
        tuple(known.answers[number] for number in numbers),
        known.spreads,
    )
    return [answers.samples[number].path for number in numbers], kept


def encoded(reference: Reference) -> bytes:
    """Return the file of eager's answers."""
    return msgspec.msgpack.encode(reference, order="deterministic")


def write_zeros(samples: Path, path: Path) -> None:
    """Write one call of zeros, shaped as the first golden sample in `samples`, without outputs.

    It holds no data of a sample.
    """
    import numpy as np

    first = golden.load(samples)[0]
    golden.write([GoldenSample({name: np.zeros_like(array) for name, array in first.inputs.items()}, {})], path)


def _fitting(answers: Answers) -> list[int]:
    """Return the numbers of samples that fit a bundle together; the small ones where not all do."""
    pairs = zip(answers.samples, answers.reference.answers, strict=True)
    sizes = [sample.path.stat().st_size + len(answer) for sample, answer in pairs]
    if sum(sizes) <= MAX_BYTES:
        return list(range(len(sizes)))
    found, left = [], MAX_BYTES
    for number in sorted(range(len(sizes)), key=sizes.__getitem__):
        if sizes[number] <= left:
            found.append(number)
            left -= sizes[number]
    return sorted(found)
