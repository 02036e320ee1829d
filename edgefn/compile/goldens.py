"""The golden samples of one function's models: from the cache, or recorded now.

Owns when they must be recorded again. Imports torch only when they must.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edgefn import golden
from edgefn.compile.cache import Cache
from edgefn.compile.sources import Sources
from edgefn.function import EdgeFunction
from edgefn.golden import GoldenSample
from edgefn.model import EdgeModel

if TYPE_CHECKING:
    from edgefn.compile.eager import EagerSession
    from edgefn.compile.recording import Recorder

_FILE, _NOTES = "golden.npz", "notes.json"


@dataclass(frozen=True)
class Golden:
    """A model's golden samples.

    cached   recorded by an earlier build
    stale    the handler or the samples have changed since, and the caller wanted these all the same
    """

    path: Path
    cached: bool
    stale: bool = False

    @cached_property
    def samples(self) -> tuple[GoldenSample, ...]:
        return golden.load(self.path)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the report says of the network that was recorded."""
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
        """Each model's samples. With `reuse`, those of its network, whatever the handler and the samples are now."""
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
        from edgefn.compile.recording import record

        names = [model.spec.name for model in models]
        recorders = record(self._function, self._models, names, self._sources.folder)
        self.sessions = {name: recorder.session for name, recorder in recorders.items()}
        return {model.spec.name: self._keep(model, recorders[model.spec.name]) for model in models}

    def _keep(self, model: EdgeModel, recorder: Recorder) -> Golden:
        def fill(into: Path) -> None:
            golden.write(recorder.kept, into / _FILE)
            (into / _NOTES).write_bytes(msgspec.json.encode(recorder.session.notes))

        def copy(into: Path) -> None:
            for name in (_FILE, _NOTES):
                shutil.copyfile(folder / name, into / name)

        folder = self._cache.make("golden", self._sources.golden_key(model, self._function), fill)
        self._cache.make("latest-golden", self._sources.builder_key(model), copy)
        return Golden(folder / _FILE, cached=False)
