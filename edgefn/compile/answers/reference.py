"""Record eager's answers to the samples, twice: what does not repeat itself judges no artifact.

They are cached by all that they depend on. Imports torch only when they must be recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edgefn.accuracy.answers import record
from edgefn.accuracy.answers.judging import differing, spreads_of
from edgefn.accuracy.answers.record import Asked, Reference
from edgefn.bundle.sources import Packages
from edgefn.codec.type_hints import hints_of
from edgefn.compile.answers.requests import Sample, answer, samples_of
from edgefn.compile.author.usercode import blaming
from edgefn.compile.cache.cache import Cache
from edgefn.compile.cache.sources import Sources
from edgefn.function import EdgeFunction
from edgefn.model import EdgeModel

if TYPE_CHECKING:
    from edgefn.compile.capture.eager import EagerSession

NO_REQUESTS = (
    "no request samples, so the handler's answers were not compared: samples= names no request bodies, but arrays; "
    'write samples="samples/*" with real ones'
)
STALE = "the handler or the samples have changed since the golden samples were recorded: its answers were not compared"

_FILE = "answers.msgpack"


@dataclass(frozen=True)
class Answers:
    """Eager's answers to a function's samples, and the file that holds them.

    folder    of the function; `handler` is the name of its handler
    packages  the project's shared packages
    key       depends on all that the answers do
    """

    folder: Path
    handler: str
    samples: tuple[Sample, ...]
    reference: Reference
    path: Path | None = None
    key: str = ""
    packages: Packages = field(default_factory=dict)

    @property
    def fit(self) -> bool:
        """Tell whether artifacts can be compared with these answers."""
        return self.path is not None and not self.reference.unfit


def read(path: Path) -> Reference:
    """Return the reference in the file `path`."""
    return msgspec.msgpack.decode(path.read_bytes(), type=Reference)


def obtain(
    function: EdgeFunction[..., Any],
    models: Sequence[EdgeModel],
    sources: Sources,
    cache: Cache,
    sessions: dict[str, EagerSession],
    *,
    stale: bool = False,
) -> Answers:
    """Return eager's answers, from the cache or recorded now.

    `sessions` gains the networks that had to be built. Raise BuildError when the handler or its `match` raises. With
    `stale` golden samples nothing is recorded.
    """
    samples = tuple(samples_of(models, sources.folder))
    if stale or not samples:
        return Answers(
            sources.folder, function.handler.__name__, samples, Reference(unfit=STALE if stale else NO_REQUESTS)
        )
    key = sources.answers_key(models, function)
    folder = cache.find("answers", key)
    if folder is None:
        found = _recorded(function, models, samples, sessions)
        folder = cache.make("answers", key, lambda into: (into / _FILE).write_bytes(msgspec.msgpack.encode(found)))
    known, handler = read(folder / _FILE), function.handler.__name__
    return Answers(sources.folder, handler, samples, known, folder / _FILE, key, sources.packages)


def _recorded(
    function: EdgeFunction[..., Any],
    models: Sequence[EdgeModel],
    samples: Sequence[Sample],
    sessions: dict[str, EagerSession],
) -> Reference:
    from edgefn.compile.capture.eager import EagerSession, one_thread

    for model in models:
        model.bind(sessions.setdefault(model.spec.name, EagerSession(model.builder, model.spec)))
    with one_thread():
        first, second = (
            [blaming(f"sample {one.name} of function {function.spec.name}", answer, function, one) for one in samples]
            for _ in range(2)
        )
    asked = tuple(Asked(one.name, one.content_type) for one in samples)
    unfit = _unfit(function, asked, first, second)
    return Reference(asked, tuple(first), dict(spreads_of(first)), unfit)


def _unfit(
    function: EdgeFunction[..., Any], asked: Sequence[Asked], first: Sequence[bytes], second: Sequence[bytes]
) -> str:
    """Return why eager's answers judge nothing: its second run gave others.

    Raise BuildError for a faulty `match`.
    """
    numbers = differing(first, second, function.judge, result_hint(function))
    if not numbers:
        return ""
    return unrepeatable(function, asked[numbers[0]].name, first[numbers[0]], second[numbers[0]], len(numbers))


def unrepeatable(function: EdgeFunction[..., Any], sample: str, first: bytes, second: bytes, count: int) -> str:
    """Return the message about a handler that answers the same request differently the second time."""
    return (
        f"the handler does not repeat itself, so its answers were not compared: {sample} gave {record.shown(first)}, "
        f"then {record.shown(second)} ({count} such); what depends on the clock, chance, the network or earlier calls "
        f"is told apart with @{function.handler.__name__}.match"
    )


def result_hint(function: EdgeFunction[..., Any]) -> Any:
    """Return the handler's type hint of its result."""
    return hints_of(function.handler).result
