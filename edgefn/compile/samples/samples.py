"""Where a model's real inputs come from: what `samples=` and `calibration=` name, and which of it is taken.

Never runs a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgefn.errors import BuildError
from edgefn.golden import MAX_SAMPLES
from edgefn.model import EdgeModel

if TYPE_CHECKING:
    from edgefn.model import Samples

T = TypeVar("T")

SAMPLES = "samples"
"""The folder of a function's samples."""

REFUSED = "samples/refused"
"""Requests that the handler must refuse with InputError; no model's samples, whatever pattern matches them."""


@dataclass(frozen=True)
class InputSource:
    """The source of inputs: a decorator's option, its value, and the greatest number of calls that are kept."""

    option: str
    samples: Samples
    most: int

    @property
    def one(self) -> str:
        """Return the name for one of these inputs."""
        return "sample" if self.option == "samples" else f"{self.option} sample"


def golden_source(model: EdgeModel) -> InputSource:
    """Return the source of a model's golden samples."""
    return InputSource("samples", model.samples, MAX_SAMPLES)


def how_to_give(option: str) -> str:
    """Explain how to write the decorator's `option`, "samples" or "calibration"."""
    return (
        f'write @edge_model(..., {option}="{option}/*.jpg") with real request bodies in the function\'s folder '
        "(or .npz files of the model's inputs, or a callable that yields dicts of arrays)"
    )


def sample_files(model: EdgeModel, folder: Path) -> list[Path]:
    """List the files that the model's `samples` pattern matches, sorted."""
    return matched(model.samples, folder)


def matched(samples: Samples, folder: Path) -> list[Path]:
    """List the files below `folder` that a pattern matches, sorted, but for REFUSED ones; none for a callable."""
    if not isinstance(samples, str):
        return []
    files = (path for path in folder.glob(samples) if path.is_file())
    return sorted(path for path in files if not path.is_relative_to(folder / REFUSED))


def spread(items: Sequence[T], most: int) -> list[T]:
    """Return at most `most` of `items`, evenly spread, in order."""
    count = min(len(items), most)
    return [items[number * len(items) // count] for number in range(count)]


def listed(yielded: object, model: EdgeModel, what: str) -> list[Any]:
    """List everything that a callable yields: dicts of arrays by the model's inputs, at least one.

    Raises BuildError for other objects.
    """
    how = f"let it yield dicts of arrays, with {', '.join(map(repr, model.spec.inputs))}"
    if not isinstance(yielded, Iterable):
        raise BuildError(f"{what} returns {type(yielded).__name__}: {how}")
    found = list(yielded)
    if not found:
        raise BuildError(f"{what} yields nothing: {how}")
    for one in found:
        if not isinstance(one, Mapping):
            raise BuildError(f"{what} yields {type(one).__name__}: {how}")
    return found
