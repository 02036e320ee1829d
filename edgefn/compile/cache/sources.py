"""What the results of a build depend on, as keys: a function's folder, read but neither imported nor run."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from edgefn.bundle.readme import first_paragraph
from edgefn.bundle.sources import NO_PACKAGES, Files, Packages, code_files, package_files, tree_files
from edgefn.compile.author.closure import Closure, closure_of, follow, imported
from edgefn.compile.cache import environment
from edgefn.compile.cache.cache import hash_file, key_of
from edgefn.compile.samples.samples import matched, sample_files
from edgefn.errors import SpecError
from edgefn.function import EdgeFunction
from edgefn.model import EdgeModel
from edgefn.weights import weight_files

COMPILING = ("compile", "backends", "golden.py")
"""Where edgefn's own source decides what an artifact is."""


class Sources:
    """The folder of one function, in a project with shared `packages`.

    `remembered`: modules elsewhere that an earlier build of it imported.
    """

    def __init__(self, folder: Path, packages: Packages = NO_PACKAGES) -> None:
        self.folder = folder.resolve()
        self.packages = packages
        self.remembered: tuple[str, ...] = ()
        self._hashes: dict[Path, str] = {}
        self._followed: set[Path] = set()
        if not self.folder.is_dir():
            raise SpecError(f"{folder} is not a folder: name the folder of a function")

    @cached_property
    def shared(self) -> Packages:
        """Return the shared packages that the function's code imports: they are in its bundle, and no others.

        Raise SpecError for one whose name another package or module has.
        """
        if not self.packages:
            return NO_PACKAGES
        found = imported([path for _, path in code_files(self.folder) if path.suffix == ".py"], self.packages)
        for name in found:
            if taken := environment.versions([name])[name]:
                raise SpecError(
                    f"the shared package {name} in {found[name]} has the name of a package that {taken[0]} installed "
                    f"here, and would hide it: rename the folder, and {name!r} in packages of edgefn.toml"
                )
        return found

    def code_files(self) -> Files:
        """List the files of the code layer: the function's, and those of the shared packages that it imports."""
        return code_files(self.folder, self.shared)

    def check_wheels(self, wheels: Path | None) -> None:
        """Raise SpecError where the site-packages `wheels` have a package of a shared one's name."""
        brought = {path.name.partition(".")[0] for path in wheels.iterdir()} if wheels else set[str]()
        for name in sorted(brought & self.shared.keys()):
            raise SpecError(
                f"the shared package {name} would hide the package {name} that requirements.txt brings: rename "
                f"{self.shared[name]}, and {name!r} in packages of edgefn.toml"
            )

    def whole_key(self, *options: object) -> str:
        """Return a key of all that the bundle may depend on.

        That is every file, every installed distribution and every option of the build.
        """
        code = self.code_files()
        followed = follow([path for _, path in code if path.suffix == ".py"], self.folder, self.shared)
        self._followed = followed.files
        return key_of(
            [[name, hash_file(path)] for name, path in [*code, *self._samples(), *self.requirements()]],
            followed.digest(),
            environment.own_code(),
            environment.toolchain(),
            environment.installed(),
            first_paragraph(self.folder),
            options,
        )

    def weights_key(self, patterns: Sequence[str]) -> str:
        """Return a key of the files that `weights=` names. Raise FileNotFoundError when one is missing."""
        paths = weight_files(patterns, self.folder)
        return key_of([[os.path.relpath(path, self.folder), self._hashed(path)] for path in paths]) if paths else ""

    def modules_key(self) -> str:
        """Return a key of the remembered modules; a missing one changes the key."""
        paths = [Path(path) for path in self.remembered]
        return key_of([[str(path), self._hashed(path) if path.is_file() else ""] for path in paths]) if paths else ""

    def modules_elsewhere(self, functions: Sequence[Callable[..., Any]]) -> tuple[str, ...]:
        """Return the modules outside of the folder that `functions` need and that `whole_key` did not find.

        It imports nothing, so it does not know of a sys.path that the modules change.
        """
        files = {path for function in functions for path in self._closure(function).files} - self._followed
        return tuple(sorted(str(path) for path in files if not path.is_relative_to(self.folder)))

    def builder_key(self, model: EdgeModel) -> str:
        """Return a key of all that the network may depend on.

        That is the closure of its builder, data files, its weights and the toolchain.
        """
        closure = self.closure(model)
        weights = {path.resolve() for path in weight_files(model.weights, self.folder)}
        data = [[name, hash_file(path)] for name, path in self.data_files(closure) if path not in weights]
        return key_of(
            closure.digest(),
            data,
            self.weights_key(model.weights),
            self.modules_key(),
            msgspec.to_builtins(model.spec),
            environment.versions(closure.packages),
            environment.toolchain(),
            environment.own_code(*COMPILING),
        )

    def golden_key(self, model: EdgeModel, function: EdgeFunction[..., Any]) -> str:
        """Return a key of all that the golden samples may depend on.

        That is the network, the handler, the samples, and edgefn's decoding of them.
        """
        closure = self._closure(function.handler)
        samples = self._samples() if callable(model.samples) else self._matched(model)
        return key_of(
            self.builder_key(model),
            closure.digest(),
            environment.versions(closure.packages),
            environment.own_code(),
            [[name, hash_file(path)] for name, path in [*samples, *self._shared_data(closure)]],
        )

    def answers_key(self, models: Sequence[EdgeModel], function: EdgeFunction[..., Any]) -> str:
        """Return a key of all that eager's answers may depend on.

        That is all that the golden samples depend on, and the author's comparison.
        """
        judge = self._closure(function.judge).digest() if function.judge is not None else ""
        return key_of([self.golden_key(model, function) for model in models], judge)

    def calibration_key(self, model: EdgeModel, function: EdgeFunction[..., Any]) -> str:
        """Return a key of all that the calibration samples may depend on.

        That is all that the golden samples depend on, and the files of `calibration=`.
        """
        files = [[str(path.relative_to(self.folder)), hash_file(path)] for path in self._given(model)]
        return key_of(self.golden_key(model, function), files)

    def requirements(self) -> list[tuple[str, Path]]:
        """Return the function's requirements.txt, if it has one."""
        path = self.folder / "requirements.txt"
        return [(path.name, path)] if path.is_file() else []

    def closure(self, model: EdgeModel) -> Closure:
        """Return the source that the model's network depends on."""
        return self._closure(model.builder)

    def data_files(self, closure: Closure | None = None) -> Files:
        """List the files that are not modules, with their names: a builder with `closure` may read them.

        They are in the folder, or in a shared package that the builder imports.
        """
        own = [(name, path) for name, path in code_files(self.folder) if path.suffix != ".py"]
        return [*own, *(self._shared_data(closure) if closure else ())]

    def _shared_data(self, closure: Closure) -> Files:
        """List the files that are not modules of the shared packages that `closure` reaches."""
        return [
            (f"{name}/{below}", path)
            for name, place in self.shared.items()
            if any(file.is_relative_to(place) for file in closure.files)
            for below, path in package_files(place)
            if path.suffix != ".py"
        ]

    def sample_files(self, model: EdgeModel) -> list[Path]:
        """List the files that the golden and the calibration samples of `model` depend on."""
        return [path for _, path in [*self._samples(), *self._matched(model)]] + self._given(model)

    def _hashed(self, path: Path) -> str:
        """Return the hash that a checkpoint had when this build first looked, before a builder read it."""
        if path not in self._hashes:
            self._hashes[path] = hash_file(path)
        return self._hashes[path]

    def _closure(self, function: Callable[..., Any]) -> Closure:
        function = inspect.unwrap(function)
        module = Path(inspect.getfile(function)).resolve()
        return closure_of(module, function.__qualname__.split(".")[0], self.folder, self.shared)

    def _matched(self, model: EdgeModel) -> list[tuple[str, Path]]:
        return [(str(path.relative_to(self.folder)), path) for path in sample_files(model, self.folder)]

    def _given(self, model: EdgeModel) -> list[Path]:
        if callable(model.calibration):
            return [path for _, path in self._samples()]
        return [path.resolve() for path in matched(model.calibration, self.folder)]

    def _samples(self) -> list[tuple[str, Path]]:
        folder = self.folder / "samples"
        return [(f"samples/{name}", path) for name, path in tree_files(folder)] if folder.is_dir() else []
