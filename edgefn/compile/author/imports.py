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
from edgefn.bundle.sources import code_files
from edgefn.compile.cache import environment
from edgefn.compile.cache.wheelhouse import Wheels

NUMPY_INSTEAD = (
    'write that step with NumPy, or do it in the network\'s forward() (docs/models.md, "What a handler may import")'
)

IN_BUILDER = "import it in the builder, if only the builder needs it"

_ALWAYS = {*sys.stdlib_module_names, "edgefn", "edgefn_runtime", "__main__"}


class NotOnBox(ModuleNotFoundError):
    """A module that no box has, imported by code that a box runs. The message says what to write instead."""


class ImportGuard:
    """Refuses modules that no box has while `boxed` is true; otherwise only watches.

    `refused` is the last refusal.
    """

    def __init__(self, folder: Path, wheels: Callable[[], Wheels]) -> None:
        self.boxed = False
        self.refused: NotOnBox | None = None
        self._folder = folder
        self._prefix = f"{folder}/"
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
        if importer.f_code.co_filename.startswith(self._prefix):
            absolute = _absolute(name, level, importer)
            self._look([absolute, *(f"{absolute}.{member}" for member in fromlist or ())], importer)
        return self._import(name, globals, locals, fromlist, level)

    def _imported_module(self, name: str, package: str | None = None) -> Any:
        importer = sys._getframe(1)
        if importer.f_code.co_filename.startswith(self._prefix):
            self._look([importlib.util.resolve_name(name, package) if name.startswith(".") else name], importer)
        return self._import_module(name, package)

    def _look(self, names: list[str], importer: FrameType) -> None:
        if self.boxed:
            for name in names:
                self._check(name, importer)
        elif importer.f_code.co_name == "<module>":
            self._behind.setdefault(str(importer.f_globals.get("__name__")), set()).update(names)

    def _check(self, name: str, importer: FrameType) -> None:
        if not self._has(_top(name)):
            raise self._refusal(_top(name), importer, "")
        for own, needed in self._brought(name, set()):
            if not self._has(_top(needed)):
                raise self._refusal(_top(needed), importer, f"{own}, which imports ")

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

    def _has(self, package: str) -> bool:
        """Tell whether a box has the package.

        A package that is not installed here counts as present: Python itself then raises the error.
        """
        if package in _ALWAYS:
            return True
        if package not in self._known:
            self._known[package] = self._is_code(package) or self._is_installed(package) or _is_missing(package)
        return self._known[package]

    def _is_code(self, package: str) -> bool:
        names = [name for name, _ in code_files(self._folder) if name.endswith((".py", ".so"))]
        return any(name.startswith((f"{package}/", f"{package}.")) for name in names)

    def _is_installed(self, package: str) -> bool:
        if environment.owners(package) & on_every_box():
            return True
        folder = self._wheels().folder
        return folder is not None and any(_top(path.name) == package for path in folder.iterdir())

    def _refusal(self, package: str, importer: FrameType, way: str) -> NotOnBox:
        where, owners = importer.f_code.co_filename.removeprefix(self._prefix), environment.owners(package) or {package}
        if never := any(never_on_a_box(owner) for owner in owners):
            why = "never goes to a box" if package in REFUSED else "needs torch, and that never goes to a box"
        else:
            why = "is not on a box"
        at_top = importer.f_code.co_name == "<module>"
        wheel = "" if never else f"add {min(owners)} to requirements.txt"
        instead = ", or ".join(filter(None, (IN_BUILDER if at_top else "", wheel, NUMPY_INSTEAD)))
        self.refused = NotOnBox(
            f"{where}, line {importer.f_lineno}, imports {way}{package}, which {why}: {instead}", name=package
        )
        return self.refused


def _absolute(name: str, level: int, importer: FrameType) -> str:
    package = str(importer.f_globals.get("__package__") or "")
    return importlib.util.resolve_name("." * level + name, package) if level and package else name


def _top(name: str) -> str:
    return name.partition(".")[0]


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _is_missing(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is None
    except (ImportError, ValueError):
        return True
