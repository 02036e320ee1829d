"""The golden pairs of one function's models: from the cache, or recorded now.

    golden.npz    the author's samples and what is made of them, with eager's answers
    exact.npz     how far eager in float64 is from eager in float32, for a few samples

Owns when they must be recorded again. Imports torch only when they must.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edgefn import golden
from edgefn.compile.author import boundary
from edgefn.compile.cache.cache import Cache
from edgefn.compile.cache.sources import Sources
from edgefn.compile.samples import trials
from edgefn.function import EdgeFunction
from edgefn.golden import GoldenSample, Pairs
from edgefn.model import EdgeModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.compile.capture.eager import EagerSession
    from edgefn.compile.samples.recording import Recorder

_FILE, _EXACT, _NOTES = "golden.npz", "exact.npz", "notes.json"

EXACT = 4
"""Samples that are run in float64, too."""

KEPT_BYTES = 4 * 2**20
"""Bytes of pairs at other sizes, and again of stress inputs, that travel in the bundle."""

KEPT_HELD_OUT = 4
"""Held-out calibration inputs that travel in the bundle."""


@dataclass(frozen=True)
class Golden:
    """A model's golden pairs: the file `path`, and others in its folder.

    cached   recorded by an earlier build
    stale    the handler or the samples have changed since, and the caller wanted these pairs all the same
    """

    path: Path
    cached: bool
    stale: bool = False

    @cached_property
    def pairs(self) -> Pairs:
        return golden.load_pairs(self.path)

    @property
    def samples(self) -> tuple[GoldenSample, ...]:
        return self.pairs.samples

    @property
    def residuals(self) -> list[Mapping[str, NDArray[Any]]]:
        """Return float64 minus float32 of eager for the first samples, by output."""
        return [pair.outputs for pair in golden.load(self.path.parent / _EXACT)]

    def write_kept(self, held_out: Sequence[GoldenSample], sizes: Sequence[GoldenSample], path: Path) -> None:
        """Write what travels in the bundle: all samples, and of the other pairs as much as is worth its bytes."""
        kept = self.pairs._replace(
            held_out=tuple(held_out[:KEPT_HELD_OUT]),
            stress=trials.within(self.pairs.stress, KEPT_BYTES),
            sizes=trials.within(sizes, KEPT_BYTES),
        )
        golden.write(kept, path)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the report's notes on the network that was recorded."""
        return msgspec.json.decode(self.path.with_name(_NOTES).read_bytes(), type=tuple[str, ...])


class Goldens:
    """The golden samples of `models`. `sessions` has the networks that recording had to build, by model."""

    def __init__(
        self, function: EdgeFunction[..., Any], models: Sequence[EdgeModel], sources: Sources, cache: Cache
    ) -> None:
        self.sessions: dict[str, EagerSession] = {}
        self._function = function
        self._models = models
        self._sources = sources
        self._cache = cache

    def obtain(self, *, reuse: bool) -> dict[str, Golden]:
        """Return each model's samples, from the cache or recorded now.

        With `reuse`, they are the samples of its network, whatever the handler and the samples are now.
        """
        found = {model.spec.name: self._find(model, reuse=reuse) for model in self._models}
        missing = [model for model in self._models if found[model.spec.name] is None]
        recorded = self._record(missing) if missing else {}
        return {name: known or recorded[name] for name, known in found.items()}

    def _find(self, model: EdgeModel, *, reuse: bool) -> Golden | None:
        if folder := self._cache.find("golden", self._sources.golden_key(model, self._function)):
            return Golden(folder / _FILE, cached=True)
        if reuse and (folder := self._cache.find("latest-golden", self._sources.builder_key(model))):
            return Golden(folder / _FILE, cached=True, stale=True)
        return None

    def _record(self, models: Sequence[EdgeModel]) -> dict[str, Golden]:
        boundary.unobserved(lambda: import_module("torch"))
        from edgefn.compile.samples.recording import record

        names = [model.spec.name for model in models]
        recorders = record(self._function, self._models, names, self._sources.folder)
        self.sessions = {name: recorder.session for name, recorder in recorders.items()}
        return {model.spec.name: self._keep(model, recorders[model.spec.name]) for model in models}

    def _keep(self, model: EdgeModel, recorder: Recorder) -> Golden:
        key = self._sources.golden_key(model, self._function)
        folder = self._cache.make("golden", key, lambda into: _write(recorder.session, recorder.kept, into))
        self._cache.make("latest-golden", self._sources.builder_key(model), lambda into: _copy(folder, into))
        return Golden(folder / _FILE, cached=False)


def _write(session: EagerSession, samples: Sequence[GoldenSample], into: Path) -> None:
    from edgefn.compile.samples import answering

    golden.write(Pairs(tuple(samples), stress=tuple(answering.stress(session, samples))), into / _FILE)
    golden.write(answering.residuals(session, samples[:EXACT]), into / _EXACT)
    (into / _NOTES).write_bytes(msgspec.json.encode(session.notes))


def _copy(folder: Path, into: Path) -> None:
    for name in (_FILE, _EXACT, _NOTES):
        shutil.copyfile(folder / name, into / name)
