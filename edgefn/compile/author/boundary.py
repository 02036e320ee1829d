"""Where a build hands over to the user's code: what that may read and import, by who else runs it.

    on_box      the module's import, and the handler: a box runs them too, so they have what a box has
    building    a model's builder and its network: what they read is what the network depends on
    sampling    samples= and calibration=: what they read is what the golden samples depend on

What is read beyond that is in no key of the build, so new weights would give old answers: a BuildError with the line
to add. Outside of a build, in a notebook, these do nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from edgefn.compile.author import missing, unknown_reads
from edgefn.compile.author.aside import Aside
from edgefn.compile.author.imports import ImportGuard
from edgefn.compile.author.reads import Reads, is_module, source_of
from edgefn.compile.cache.sources import Sources
from edgefn.compile.cache.wheelhouse import Wheels
from edgefn.errors import BuildError, EdgefnError
from edgefn.model import EdgeModel
from edgefn.weights import check_weights, weight_files

T = TypeVar("T")


@dataclass(eq=False)
class _Turn:
    """One run of the user's code: the files that it read, and how to refuse those that it must not read."""

    boxed: bool
    allowed: Callable[[], set[Path]]
    refusal: Callable[[list[str]], BuildError]
    read: dict[str, None] = field(default_factory=dict)

    def end(self) -> None:
        """Raise BuildError when the code read files that it must not read.

        Modules that a box lacks are not counted: the import guard reports them.
        """
        allowed = self.allowed() if self.read else set()
        unknown = [path for path in self.read if source_of(path) not in allowed]
        if unknown := [path for path in unknown if not (self.boxed and is_module(source_of(path)))]:
            raise self.refusal(unknown)


class Boundary:
    """The boundary of one build, from its making to the end of this process."""

    def __init__(self, sources: Sources, cache: Path, wheels: Callable[[], Wheels]) -> None:
        self._sources = sources
        self._models: dict[str, EdgeModel] = {}
        self._turns: list[_Turn] = []
        self._aside = Aside()
        self._reads = Reads(cache)
        self._wheels = wheels
        self._imports = ImportGuard(sources, wheels)
        self._imports.install()

    @property
    def unseen(self) -> str:
        """Return why reads of native libraries are not seen here; empty when they are seen."""
        return self._reads.unseen

    def unobserved(self, act: Callable[[], T]) -> T:
        """Return `act()`, done by a thread whose reads are not observed, nor those of what it starts."""
        return self._aside.do(act)

    def admit(self, models: Sequence[EdgeModel]) -> None:
        """Accept the function's models; from now on their weights= are known.

        Raise BuildError when weights= of a model names no file.
        """
        for model in models:
            check_weights(model.spec.name, model.weights, self._sources.folder)
            self._models[model.spec.name] = model

    def weights(self) -> set[Path]:
        """Return all files that weights= of the models name. No box gets these files."""
        return {path.resolve() for model in self._models.values() for path in self._named(model)}

    def advice(self, module: str) -> str:
        """Return what to do about `module`, which this machine lacks; empty where there is nothing to say."""
        try:
            wheels = self._wheels().folder
        except EdgefnError:  # it is told by the step that resolves them
            wheels = None
        return missing.advice(module, self._sources.folder, wheels)

    @contextmanager
    def on_box(self, what: str) -> Iterator[None]:
        """Run the user's code meanwhile as a box would run it. `what` names the code in errors."""
        refusal = unknown_reads.of_box(what, self._sources.folder)
        with self._take(_Turn(boxed=True, allowed=self._code, refusal=refusal)):
            yield

    @contextmanager
    def building(self, name: str) -> Iterator[None]:
        """Run the builder or the network of the model `name` meanwhile."""
        model = self._models.get(name)
        refusal = unknown_reads.of_builder(name, model.weights if model else (), self._sources.folder)
        try:
            with self._take(_Turn(boxed=False, allowed=lambda: self._built_from(model), refusal=refusal)):
                yield
        except BuildError as error:
            missed = self._imports.refused  # which the function's module caught, and went on without
            if missed is None or str(missed) in str(error):
                raise
            raise BuildError(f"{error}; mind that {missed}; let the builder import it itself") from error.__cause__

    @contextmanager
    def sampling(self, model: EdgeModel, what: str) -> Iterator[None]:
        """Run the callable `what` of `model` meanwhile: "samples=" or "calibration="."""
        refusal = unknown_reads.of_samples(model.spec.name, what, model.weights, self._sources.folder)
        with self._take(_Turn(boxed=False, allowed=lambda: self._sampled_from(model), refusal=refusal)):
            yield

    @contextmanager
    def _take(self, turn: _Turn) -> Iterator[None]:
        self._note()
        self._turns.append(turn)
        self._imports.boxed = turn.boxed
        try:
            yield
        finally:
            self._note()
            self._turns.remove(turn)
            self._imports.boxed = bool(self._turns) and self._turns[-1].boxed
        turn.end()

    def _note(self) -> None:
        """Add the files that were read since the last call to the current run of the user's code."""
        read = self._reads.take()
        if self._turns:
            self._turns[-1].read |= dict.fromkeys(read)

    def _code(self) -> set[Path]:
        return {path for _, path in self._sources.code_files()} - self.weights()

    def _built_from(self, model: EdgeModel | None) -> set[Path]:
        closure = self._sources.closure(model) if model else None
        data = {path for _, path in self._sources.data_files(closure)}
        if model is None or closure is None:
            return data
        weights = {path.resolve() for path in self._named(model)}
        return data | closure.files | weights

    def _sampled_from(self, model: EdgeModel) -> set[Path]:
        return self._built_from(model) | self._code() | set(self._sources.sample_files(model))

    def _named(self, model: EdgeModel) -> list[Path]:
        return weight_files(model.weights, self._sources.folder)


_drawn: Boundary | None = None


def draw(sources: Sources, cache: Path, wheels: Callable[[], Wheels]) -> Boundary:
    """Draw the boundary of this process's build: from here on the functions below mean it."""
    global _drawn
    _drawn = Boundary(sources, cache, wheels)
    return _drawn


def unobserved(act: Callable[[], T]) -> T:
    """Return `act()`, done aside: nothing that a builder or a handler may not read is read in it."""
    return _drawn.unobserved(act) if _drawn else act()


def on_box(what: str) -> AbstractContextManager[None]:
    """Run code meanwhile that a box runs too; `what` names the code in errors."""
    return _drawn.on_box(what) if _drawn else nullcontext()


def advice(error: BaseException) -> str:
    """Return what to do about the module that `error` misses; empty for any other error, and outside of a build."""
    missed = error.name if isinstance(error, ModuleNotFoundError) else ""
    return _drawn.advice(missed) if _drawn and missed else ""


def building(model: str) -> AbstractContextManager[None]:
    """Run the builder or the network of `model` meanwhile."""
    return _drawn.building(model) if _drawn else nullcontext()


def sampling(model: EdgeModel, what: str) -> AbstractContextManager[None]:
    """Run the callable `what` of `model` meanwhile: "samples=" or "calibration="."""
    return _drawn.sampling(model, what) if _drawn else nullcontext()
