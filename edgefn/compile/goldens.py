"""The golden samples of one function's models: from the cache, or recorded now.

Owns when they must be recorded again. Imports torch only when they must.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgefn import golden
from edgefn.compile import boundary
from edgefn.compile.cache import Cache
from edgefn.compile.sources import Sources
from edgefn.function import EdgeFunction
from edgefn.golden import GoldenSample
from edgefn.model import EdgeModel

if TYPE_CHECKING:
    from edgefn.compile.eager import EagerSession

_FILE = "golden.npz"


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
        boundary.unobserved(lambda: import_module("torch"))
        from edgefn.compile.recording import record

        names = [model.spec.name for model in models]
        recorders = record(self._function, self._models, names, self._sources.folder)
        self.sessions = {name: recorder.session for name, recorder in recorders.items()}
        return {model.spec.name: self._keep(model, recorders[model.spec.name].kept) for model in models}

    def _keep(self, model: EdgeModel, samples: Sequence[GoldenSample]) -> Golden:
        key = self._sources.golden_key(model, self._function)
        folder = self._cache.make("golden", key, lambda into: golden.write(samples, into / _FILE))
        self._cache.make(
            "latest-golden",
            self._sources.builder_key(model),
            lambda into: shutil.copyfile(folder / _FILE, into / _FILE),
        )
        return Golden(folder / _FILE, cached=False)
