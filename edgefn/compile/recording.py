"""Golden samples from real inputs: the handler is run on the function's samples, and its models' calls are kept.

A sample is the body of a request, decoded as the box would, its content type told by its extension; or an .npz of
the model's inputs by name; or whatever `samples=` yields when it is a callable. Owns which samples are taken and
what is kept of them; never judges an artifact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgefn.compile.eager import EagerSession, one_thread
from edgefn.compile.usercode import blaming
from edgefn.errors import BuildError
from edgefn.function import EdgeFunction
from edgefn.golden import MAX_SAMPLES, GoldenSample
from edgefn.inputs import Request
from edgefn.model import EdgeModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgefn.backends.backend import Arrays

T = TypeVar("T")

CONTENT_TYPES = {
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".msgpack": "application/msgpack",
    ".npy": "application/x-npy",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
}
"""A sample's content type by its extension; "application/octet-stream" for others. Not the `mimetypes` module's,
which differs from machine to machine."""

HOW_TO_GIVE = (
    'write @edge_model(..., samples="samples/*.jpg") with real request bodies in the function\'s folder '
    "(or .npz files of the model's inputs, or a callable that yields dicts of arrays)"
)


class Recorder:
    """A session that runs the network in eager PyTorch and keeps what went in and came out."""

    def __init__(self, session: EagerSession) -> None:
        self.session = session
        self.kept: list[GoldenSample] = []
        self.source = ""
        self._calls = 0

    def begin(self, source: str) -> None:
        """The calls that follow are of the sample `source`; the first MAX_SAMPLES of them are kept."""
        self.source, self._calls = source, 0

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        import numpy as np

        outputs = self.session.run(inputs)
        for name, array in outputs.items():
            if not np.isfinite(array).all():
                raise BuildError(
                    f"model {self.session.spec.name}: output {name!r} of the eager network holds NaN or infinity "
                    f"for {self.source}; nothing can be held against that: mend the network or the sample"
                )
        self._calls += 1
        if self._calls <= MAX_SAMPLES:
            # Copies: the handler may go on to write into its arrays.
            self.kept.append(
                GoldenSample(
                    {name: np.array(array) for name, array in inputs.items()},
                    {name: np.array(array) for name, array in outputs.items()},
                )
            )
        return outputs


def record(
    function: EdgeFunction[..., Any], models: Sequence[EdgeModel], wanted: Iterable[str], folder: Path
) -> dict[str, Recorder]:
    """Every model's recorder, with the samples of those `wanted` (by name), at most MAX_SAMPLES, in order.

    Raises BuildError when a sample cannot be decoded or run, or a wanted model gets none.
    """
    recorders = {model.spec.name: Recorder(EagerSession(model.builder, model.spec)) for model in models}
    chosen = [model for model in models if model.spec.name in set(wanted)]
    with one_thread():
        for model in models:
            model.bind(recorders[model.spec.name])
        for model in chosen:
            recorder = recorders[model.spec.name]
            recorder.kept = []  # what an earlier model's samples made the handler call it with
            _run_samples(function, model, recorder, folder)
            recorder.kept = spread(recorder.kept, MAX_SAMPLES)
            _require(model, recorder)
        for model in models:
            model.bind(recorders[model.spec.name].session)
    return recorders


def sample_files(model: EdgeModel, folder: Path) -> list[Path]:
    """The files that the model's `samples` pattern matches, sorted."""
    if not isinstance(model.samples, str):
        return []
    return sorted(path for path in folder.glob(model.samples) if path.is_file())


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of `items`, evenly spread, in order."""
    count = min(len(items), most)
    return [items[number * len(items) // count] for number in range(count)]


def _run_samples(function: EdgeFunction[..., Any], model: EdgeModel, recorder: Recorder, folder: Path) -> None:
    if model.samples is None:
        raise BuildError(f"model {model.spec.name} has no samples, so no artifact of it can be proved: {HOW_TO_GIVE}")
    if callable(model.samples):
        _run_yielded(model, model.samples, recorder)
        return
    files = sample_files(model, folder)
    if not files:
        raise BuildError(
            f"model {model.spec.name}: samples={model.samples!r} matches no file in {folder.name}/: {HOW_TO_GIVE}"
        )
    for path in spread(files, MAX_SAMPLES):
        recorder.begin(path.name)
        run = _run_arrays_of if path.suffix == ".npz" else _run_request
        blaming(f"sample {path.name} of model {model.spec.name}", run, function, model, path)


def _run_yielded(model: EdgeModel, samples: Callable[[], Iterable[Mapping[str, Any]]], recorder: Recorder) -> None:
    yielded = blaming(f"samples of model {model.spec.name}", _listed, samples)
    for number, arrays in enumerate(yielded):
        recorder.begin(f"sample {number}")
        blaming(f"sample {number} of model {model.spec.name}", model.run, **arrays)


def _listed(samples: Callable[[], Iterable[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    return spread(list(samples()), MAX_SAMPLES)


def _run_arrays_of(function: EdgeFunction[..., Any], model: EdgeModel, path: Path) -> None:
    import numpy as np

    with np.load(path, allow_pickle=False) as arrays:
        model.run(**dict(arrays))


def _run_request(function: EdgeFunction[..., Any], model: EdgeModel, path: Path) -> None:
    content_type = CONTENT_TYPES.get(path.suffix.lower(), "application/octet-stream")
    arguments = function.signature.decode(Request(content_type, path.read_bytes(), ""))
    if function.is_async:
        asyncio.run(function.handler(**arguments))
    else:
        function.handler(**arguments)


def _require(model: EdgeModel, recorder: Recorder) -> None:
    if not recorder.kept:
        raise BuildError(
            f"model {model.spec.name}: none of its samples made the handler call it, so no artifact of it can be "
            f"proved: {HOW_TO_GIVE}"
        )
