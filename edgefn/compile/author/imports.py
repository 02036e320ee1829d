"""What a function's own code may import where a box runs it too: the modules that a box has.

Python's import is wrapped. While the function's modules are imported and while its handler runs, a module that no box
has is a ModuleNotFoundError for them, as it would be there; so `try: import torch` takes the same way here as there.
Nothing changes for what libraries import, for builders, and outside of a build.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from edgefn.bundle.packages.provided import REFUSED, never_on_a_box, on_every_box
from edgefn.compile.cache import environment
from edgefn.compile.cache.sources import Sources
from edgefn.compile.cache.wheelhouse import Wheels

NUMPY_INSTEAD = (
    'write that step with NumPy, or do it in the network\'s forward() (docs/models.md, "What a handler may import")'
)

IN_BUILDER = "let the builder import it, if only that needs it"

_ALWAYS = {*sys.stdlib_module_names, "edgefn", "edgefn_runtime", "__main__"}


class NotOnBox(ModuleNotFoundError):
    """A module that no box has, imported by code that a box runs. The message says what to write instead."""


class ImportGuard:
    """Refuses modules that no box has while `boxed` is true; otherwise only watches.

    `refused` is the last refusal.
    """

    def __init__(self, sources: Sources, wheels: Callable[[], Wheels]) -> None:
        self.boxed = False
        self.refused: NotOnBox | None = None
        self._sources = sources
        self._own = tuple(f"{place}/" for place in (sources.folder, *sources.packages.values()))
        self._wheels = wheels
        self._known: dict[str, bool] = {}
        self._behind: dict[str, set[str]] = {}
        self._import, self._import_module = builtins.__import__, importlib.import_module

    def install(self) -> None:
        """Wrap Python's import, for the rest of this process."""
        builtins.__import__ = self._imported
        importlib.import_module = self._imported_module

    def _imported(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        importer = sys._getframe(1)
        if importer.f_code.co_filename.startswith(self._own):
            absolute = _absolute(name, level, importer)
            self._look([absolute, *(f"{absolute}.{member}" for member in fromlist or ())], importer)
        return self._import(name, globals, locals, fromlist, level)

    def _imported_module(self, name: str, package: str | None = None) -> Any:
        importer = sys._getframe(1)
        if importer.f_code.co_filename.startswith(self._own):
            self._look([importlib.util.resolve_name(name, package) if name.startswith(".") else name], importer)
        return self._import_module(name, package)

    def _look(self, names: list[str], importer: FrameType) -> None:
        if self.boxed:
            for name in names:
                self._check(name, importer)
        elif importer.f_code.co_name == "<module>":
            self._behind.setdefault(str(importer.f_globals.get("__name__")), set()).update(names)

    def _check(self, name: str, importer: FrameType) -> None:
        if not self._has(name):
            raise self._refusal(name, importer, "")
        for own, needed in self._brought(name, set()):
            if not self._has(needed):
                raise self._refusal(needed, importer, f"{own}, which imports ")

    def _brought(self, name: str, seen: set[str]) -> Iterator[tuple[str, str]]:
        """Yield the imports at the top of `name`, as (importing module, imported module), transitively.

        `name` is a module of the function that a builder has imported already.
        """
        for own in (name, *_parents(name)):
            if own not in seen:
                seen.add(own)
                for needed in sorted(self._behind.get(own, ())):
                    yield own, needed
                    yield from self._brought(needed, seen)

    def _has(self, name: str) -> bool:
        """Tell whether a box has the module `name`, or what a package calls so.

        A module that is not here either counts as present: Python itself then raises the error.
        """
        if _top(name) in _ALWAYS:
            return True
        if name not in self._known:
            self._known[name] = not self._left_out(name) and (
                self._is_code(_top(name)) or self._is_installed(name) or _is_missing(_top(name))
            )
        return self._known[name]

    def _is_code(self, package: str) -> bool:
        names = [name for name, _ in self._sources.code_files() if name.endswith((".py", ".so"))]
        return any(name.startswith((f"{package}/", f"{package}.")) for name in names)

    def _left_out(self, name: str) -> Path | None:
        """Return the file of a module of the function's own that goes into no bundle; None for any other module."""
        top, _, below = name.partition(".")
        stem = self._sources.packages.get(top, self._sources.folder / top) / below.replace(".", "/")
        files = [path for path in (stem.parent / f"{stem.name}.py", stem / "__init__.py") if path.is_file()]
        packed = {path for _, path in self._sources.code_files()} if files else set()
        return next((path for path in files if path.resolve() not in packed), None)

    def _is_installed(self, name: str) -> bool:
        if environment.owners(name) & on_every_box():
            return True
        folder = self._wheels().folder
        return folder is not None and _has_module(folder, name.split("."))

    def _refusal(self, name: str, importer: FrameType, way: str) -> NotOnBox:
        package, owners = _top(name), environment.owners(name)
        at_top = importer.f_code.co_name == "<module>"
        way_out = [IN_BUILDER] if at_top else []
        why = "is not on a box"
        if any(never_on_a_box(owner) for owner in owners or {package}):
            why = "never goes to a box" if package in REFUSED else "needs torch, and that never goes to a box"
            way_out += [NUMPY_INSTEAD]
        elif owners:
            way_out += [f"add {min(owners)} to requirements.txt", NUMPY_INSTEAD]
        elif package in self._sources.packages and package not in self._sources.shared:
            why = "the bundle lacks, for a build reads imports and does not see this one"
            way_out = [f"write `import {package}` in a module of the function"]
        elif (left := self._left_out(name)) or Path(_place(package)).is_relative_to(self._sources.folder):
            package, why = name, f"a bundle leaves out ({self._shown(left or Path(_place(package)))})"
            way_out = ["rename or move it: samples/, test_*.py and dotfiles do not go to a box"]
        else:
            folder = self._sources.folder.name
            why = f"is not on a box: {_place(package)} is outside of {folder}/"
            way_out += [
                f"move it to {folder}/",
                "share it as a package of the project (packages under [project] in edgefn.toml)",
            ]
        line = f"{self._shown(Path(importer.f_code.co_filename))}, line {importer.f_lineno}"
        self.refused = NotOnBox(f"{line}, imports {way}{package}, which {why}: {', or '.join(way_out)}", name=package)
        return self.refused

    def _shown(self, file: Path) -> str:
        """Return one of the function's files as its author sees it: below the folder, or with its shared package."""
        folder = self._sources.folder
        if file.is_relative_to(folder):
            return str(file.relative_to(folder))
        name, place = next(one for one in self._sources.packages.items() if file.is_relative_to(one[1]))
        return f"{name}/{file.relative_to(place)}"


def _absolute(name: str, level: int, importer: FrameType) -> str:
    package = str(importer.f_globals.get("__package__") or "")
    return importlib.util.resolve_name("." * level + name, package) if level and package else name


def _top(name: str) -> str:
    return name.partition(".")[0]


def _has_module(folder: Path, parts: list[str]) -> bool:
    """Tell whether the site-packages in `folder` have the module; of a package without __init__.py, its own part."""
    for part in parts:
        if not (folder / part).is_dir():
            return any(_top(path.name) == part for path in folder.iterdir())
        folder /= part
        if (folder / "__init__.py").is_file():
            return True
    return True


def _place(package: str) -> str:
    """Return where Python finds a package that no distribution has."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    locations = list(spec.submodule_search_locations or ()) if spec else []
    return locations[0] if locations else str(spec.origin) if spec else package


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _is_missing(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is None
    except (ImportError, ValueError):
        return True
