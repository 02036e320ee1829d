"""The project's shared packages, offered to Python's import by name: nothing else of the project becomes importable."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType

from edgefn.bundle.sources import Packages


class SharedPackages(MetaPathFinder):
    """Finds the shared packages, before Python looks along sys.path."""

    def __init__(self, packages: Packages) -> None:
        self.packages = packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        place = self.packages.get(fullname)
        if place is None:
            return None
        return spec_from_file_location(fullname, place / "__init__.py", submodule_search_locations=[str(place)])


def offer(packages: Packages) -> None:
    """Let this process import `packages`, and none that it was offered before."""
    kept = [finder for finder in sys.meta_path if not isinstance(finder, SharedPackages)]
    sys.meta_path[:] = [SharedPackages(packages), *kept] if packages else kept
