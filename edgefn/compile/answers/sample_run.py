"""Run the handler on its samples, as a box would run it: what it cannot answer does not go live.

Where the build has recorded eager's calls on the very samples, they are answered already and not run again. Models run
by their portable artifacts, so nothing here imports torch. Judges no number, only whether there is an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from edgefn import backends
from edgefn.codec.request.signature import Request
from edgefn.codec.result.results import encode
from edgefn.compile.answers.requests import Sample, is_typed, samples_of
from edgefn.compile.artifacts.making import Artifact
from edgefn.compile.author import blame, boundary
from edgefn.compile.author.usercode import blaming
from edgefn.compile.samples.samples import REFUSED, SAMPLES, spread
from edgefn.errors import BuildError, InputError
from edgefn.function import EdgeFunction
from edgefn.golden import MAX_SAMPLES
from edgefn.model import EdgeModel
from edgefn.targets.groups import PORTABLE

TIMES = 3
MIN_S = 20.0
"""A sample may take so many times its function's timeout, and so long at least: a build machine may be busy."""


_LET_IT_END = "let the handler end, or give the function a longer timeout="


class SampleRun:
    """The samples of a function that its handler must answer, and those that it must refuse.

    `recorded`: eager's calls on the requests that `samples=` of the models names are those of this very handler.
    """

    def __init__(
        self, function: EdgeFunction[..., Any], models: Sequence[EdgeModel], folder: Path, *, recorded: bool
    ) -> None:
        self._function = function
        self._folder = folder
        declared = samples_of(models, folder)
        self._named = bool(declared) or not models
        self.answered = [] if declared and recorded else declared or _in(folder / SAMPLES)
        self.refused = _in(folder / REFUSED)

    @property
    def note(self) -> str:
        """Return why samples are not run here; empty where they are.

        A handler that reaches the network or devices would act on them.
        """
        spec = self._function.spec
        acts = "the network" if spec.network else "devices" if spec.devices else ""
        some = bool(self.answered or self.refused)
        return f"its samples were not run: the function reaches {acts}, and would act" if acts and some else ""

    @property
    def wanted(self) -> bool:
        """Tell whether there is something to run."""
        return bool(self.answered or self.refused) and not self.note

    def run(self) -> None:
        """Run the handler on each sample; its models are bound.

        Raise BuildError with the first sample that it does not answer, or does not refuse.
        """
        name = self._function.spec.name
        with contextlib.chdir(self._folder):  # a box is in the folder of the code, too
            for sample in self.answered:
                self._answer(sample, f"sample {sample.name} of function {name}")
            for sample in self.refused:
                self._refuse(sample, f"sample {REFUSED}/{sample.name} of function {name}")

    def _answer(self, sample: Sample, what: str) -> None:
        try:
            blaming(what, self._call, sample, what)
        except BuildError as error:
            if isinstance(error.__cause__, InputError):
                if not self._named:  # beside samples that are arrays, a file need not be a request
                    return
                told = f"{error}. A request that is to be refused belongs into {REFUSED}/"
                raise BuildError(told) from error.__cause__
            raise

    def _refuse(self, sample: Sample, what: str) -> None:
        try:
            blaming(what, self._call, sample, what)
        except BuildError as error:
            if isinstance(error.__cause__, InputError):
                return
            raise
        raise BuildError(f"{what} was answered, and those in {REFUSED}/ are to be refused with InputError: move it")

    def _call(self, sample: Sample, what: str) -> None:
        spec = self._function.spec
        request = Request(
            sample.content_type,
            sample.path.read_bytes(),
            max_body=spec.max_body_bytes,
            ignores_query=spec.unknown_query == "ignore",
        )
        with _within(max(MIN_S, TIMES * spec.timeout_s), what), boundary.on_box(f"the handler of {spec.name}"):
            result = self._function.handler(**self._function.signature.decode(request))
            encode(asyncio.run(result) if self._function.is_async else result, self._function.signature.result)


def _in(folder: Path) -> list[Sample]:
    """List the requests right below `folder`: files whose extension says what they are."""
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.is_file() and is_typed(path))
    return [Sample(path) for path in spread(files, MAX_SAMPLES)]


def bind(models: Sequence[EdgeModel], artifacts: Sequence[Artifact]) -> None:
    """Bind each model to its portable artifact."""
    portable = {one.entry.model: one for one in artifacts if one.entry.target == PORTABLE}
    for model in models:
        artifact = portable[model.spec.name]
        model.bind(backends.get(artifact.entry.backend).load(artifact.folder), artifact.spec)


_AGAIN_S = 1.0
"""An error that is raised while Python frees an object is dropped: the next one ends the handler."""
_SOON_S = 1e-3
"""When a caller's alarm rings that was due meanwhile."""


@contextmanager
def _within(seconds: float, what: str) -> Iterator[None]:
    """Raise BuildError in the main thread when the code inside takes longer than `seconds`.

    An alarm of the caller's goes on afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(number: int, frame: FrameType | None) -> None:
        where = blame.last(traceback.extract_stack(frame))
        raise BuildError(f"{what} has no answer after {seconds:.0f} s{where and f' ({where})'}: {_LET_IT_END}")

    began, before = time.monotonic(), signal.signal(signal.SIGALRM, late)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(_SOON_S, left - (time.monotonic() - began)), interval)
