"""Find the samples that are request bodies, and run the handler on one. Never judges an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgefn.accuracy.answers import record
from edgefn.codec.media_types import of_file
from edgefn.codec.request.signature import Request
from edgefn.compile.samples.samples import sample_files, spread
from edgefn.function import EdgeFunction
from edgefn.golden import MAX_SAMPLES
from edgefn.model import EdgeModel

MAX_REQUESTS = 2 * MAX_SAMPLES
"""Requests of a function of several models: each is two runs of eager and one of every artifact."""


@dataclass(frozen=True)
class Sample:
    """A file that is the body of a request."""

    path: Path

    @property
    def name(self) -> str:
        """Return the file's name, for messages."""
        return self.path.name

    @property
    def content_type(self) -> str:
        """Return the content type of the body, by the file's extension."""
        return of_file(self.path)


def samples_of(models: Sequence[EdgeModel], folder: Path) -> list[Sample]:
    """Return the golden samples of `models` that are request bodies, each once; arrays (.npz) are none."""
    found = {path: None for model in models for path in spread(sample_files(model, folder), MAX_SAMPLES)}
    return spread([Sample(path) for path in found if path.suffix != ".npz"], MAX_REQUESTS)


def answer(function: EdgeFunction[..., Any], sample: Sample) -> bytes:
    """Return the handler's encoded answer to `sample`. Raise whatever the handler raises."""
    arguments = function.signature.decode(Request(sample.content_type, sample.path.read_bytes(), ""))
    result = function.handler(**arguments)
    return record.encode(asyncio.run(result) if function.is_async else result)
