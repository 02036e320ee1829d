"""Golden samples from real inputs: the handler is run on the function's samples, and its models' calls are kept.

A sample is the body of a request, decoded as the box would, its content type told by its extension; or an .npz of
the model's inputs by name; or whatever `samples=` yields when it is a callable. Owns which samples are taken and
what is kept of them; never judges an artifact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from edgefn.codec.media_types import of_file
from edgefn.codec.request.signature import Request
from edgefn.compile.author import boundary
from edgefn.compile.author.usercode import blaming
from edgefn.compile.capture.eager import EagerSession, one_thread
from edgefn.compile.repeatability import histories, purity
from edgefn.compile.samples.samples import InputSource, golden_source, how_to_give, listed, matched, spread
from edgefn.errors import BuildError
from edgefn.function import EdgeFunction
from edgefn.golden import MAX_SAMPLES, GoldenSample
from edgefn.model import EdgeModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgefn.session import Arrays

T = TypeVar("T")


class Recorder:
    """A session that runs the network in eager PyTorch and keeps its inputs and outputs."""

    def __init__(self, session: EagerSession) -> None:
        self.session = session
        self.kept: list[GoldenSample] = []
        self.option = "samples"
        self.source = ""
        self.most = MAX_SAMPLES
        self._calls = 0
        self.before: Mapping[str, object] | None = None  # what the network held before it ran

    def begin(self, source: str) -> None:
        """Begin the sample `source`: the calls that follow belong to it.

        The first `most` of the calls are kept.
        """
        self.source, self._calls = source, 0

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        import numpy as np

        if self.before is None:
            self.before = purity.attributes(self.session.network)
        outputs = self.session.run(inputs)
        self._check(inputs, outputs)
        self._calls += 1
        if self._calls <= self.most:
            # Copies: the handler may go on to write into its arrays.
            self.kept.append(
                GoldenSample(
                    {name: np.array(array) for name, array in inputs.items()},
                    {name: np.array(array) for name, array in outputs.items()},
                )
            )
        return outputs

    def _check(self, inputs: Arrays, outputs: Arrays) -> None:
        """Check that an artifact can be compared with the outputs, and that the inputs give a range.

        Raises BuildError for NaN in an output, and for NaN or infinity in a calibration input.
        """
        model = f"model {self.session.spec.name}"
        given = _not_finite(inputs)
        if given and self.option == "calibration":
            raise BuildError(
                f"{model}: input {given!r} holds NaN or infinity in {self.source}; int8 takes no range from that: "
                "mend the sample or leave it out"
            )
        if name := _not_a_number(outputs):
            also = f", whose input {given!r} holds NaN or infinity" if given else ""
            raise BuildError(
                f"{model}: output {name!r} of the eager network holds NaN for {self.source}{also}; nothing can be held "
                "against that: mend the network or the sample"
            )


def _not_finite(arrays: Arrays) -> str:
    """Return the name of the first array that holds NaN or infinity, or an empty string."""
    import numpy as np

    return next((name for name, array in arrays.items() if not np.isfinite(array).all()), "")


def _not_a_number(arrays: Arrays) -> str:
    """Return the name of the first array that holds NaN, or an empty string.

    Infinity may be a mask's.
    """
    import numpy as np

    return next((name for name, array in arrays.items() if array.dtype.kind == "f" and np.isnan(array).any()), "")


def record(
    function: EdgeFunction[..., Any],
    models: Sequence[EdgeModel],
    wanted: Iterable[str],
    folder: Path,
    *,
    source: Callable[[EdgeModel], InputSource] = golden_source,
    sessions: Mapping[str, EagerSession] = MappingProxyType({}),
) -> dict[str, Recorder]:
    """Record the calls of the models `wanted` (by name), and return every model's recorder.

    It keeps at most `source`'s `most` calls, in order. Networks are taken from `sessions` where they are there. Raises
    BuildError if a sample cannot be decoded or run, or a wanted model gets none.
    """
    recorders = {
        model.spec.name: Recorder(sessions.get(model.spec.name) or EagerSession(model.builder, model.spec))
        for model in models
    }
    chosen = [model for model in models if model.spec.name in set(wanted)]
    with one_thread():
        for model in models:
            model.bind(recorders[model.spec.name])
        for model in chosen:
            recorder = recorders[model.spec.name]
            recorder.kept = []  # what an earlier model's samples made the handler call it with
            recorder.option = source(model).option
            _run_samples(function, model, recorder, folder, source(model))
            recorder.kept = spread(recorder.kept, source(model).most)
            _require(model, recorder)
            if recorder.option == "samples":
                _check_repeats(model, recorder)
        for model in models:
            model.bind(recorders[model.spec.name].session)
    return recorders


def _run_samples(
    function: EdgeFunction[..., Any], model: EdgeModel, recorder: Recorder, folder: Path, source: InputSource
) -> None:
    if source.samples is None:
        raise BuildError(
            f"model {model.spec.name} has no samples, so no artifact of it can be proved: {how_to_give(source.option)}"
        )
    if callable(source.samples):
        _run_yielded(model, source.samples, recorder, source)
        return
    files = spread(matched(source.samples, folder), source.most)
    if not files:
        raise BuildError(
            f"model {model.spec.name}: {source.option}={source.samples!r} matches no file in {folder.name}/: "
            f"{how_to_give(source.option)}"
        )
    recorder.most = _calls_each(source, len(files))
    for path in files:
        recorder.begin(path.name if source.option == "samples" else f"{source.one} {path.name}")
        run = _run_arrays_of if path.suffix == ".npz" else _run_request
        blaming(f"{source.one} {path.name} of model {model.spec.name}", run, function, model, path)


def _run_yielded(
    model: EdgeModel, samples: Callable[[], Iterable[Mapping[str, Any]]], recorder: Recorder, source: InputSource
) -> None:
    what = f"{source.option}= of model {model.spec.name}"
    with boundary.sampling(model, f"{source.option}="):
        yielded = blaming(what, lambda: spread(listed(samples(), model, what), source.most))
    recorder.most = _calls_each(source, len(yielded))
    for number, arrays in enumerate(yielded):
        recorder.begin(f"{source.one} {number}")
        blaming(f"{source.one} {number} of model {model.spec.name}", _run_arrays, model, arrays)


def _run_arrays(model: EdgeModel, arrays: Mapping[str, Any]) -> None:
    model.run(**arrays)


def _calls_each(source: InputSource, count: int) -> int:
    """Return the number of calls that are kept of one sample.

    A golden sample may make them all; other samples share, so that memory is bounded.
    """
    return source.most if source.most <= MAX_SAMPLES else max(1, -(-source.most // max(1, count)))


def _run_arrays_of(function: EdgeFunction[..., Any], model: EdgeModel, path: Path) -> None:
    import numpy as np

    with np.load(path, allow_pickle=False) as arrays:
        model.run(**dict(arrays))


def _run_request(function: EdgeFunction[..., Any], model: EdgeModel, path: Path) -> None:
    content_type = of_file(path)
    arguments = function.signature.decode(Request(content_type, path.read_bytes(), ""))
    with boundary.on_box(f"the handler of {function.spec.name}"):
        if function.is_async:
            asyncio.run(function.handler(**arguments))
        else:
            function.handler(**arguments)


def _check_repeats(model: EdgeModel, recorder: Recorder) -> None:
    """Raise BuildError if the network does not answer the same input the same way, whatever came before."""
    purity.check(recorder.session, recorder.kept)
    histories.check(
        recorder.session, recorder.kept, recorder.before or {}, lambda: EagerSession(model.builder, model.spec)
    )


def _require(model: EdgeModel, recorder: Recorder) -> None:
    if not recorder.kept:
        raise BuildError(
            f"model {model.spec.name}: none of its samples made the handler call it, so no artifact of it can be "
            f"proved: {how_to_give(recorder.option)}"
        )
