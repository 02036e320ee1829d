"""Which of a folder's files go into a layer, links resolved. Reads folders; never a file's content."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from types import MappingProxyType

from edgefn.errors import SpecError

# What a function's folder holds for the people who work on it; a box never needs it.
LEFT_OUT_ANYWHERE = (".*", "__pycache__", "*.pyc", "test_*.py")
LEFT_OUT_AT_TOP = ("samples", "README.md", "requirements.txt")

Files = list[tuple[str, Path]]
Packages = Mapping[str, Path]
"""The folders of shared packages, by the name that code imports them by."""

NO_PACKAGES: Packages = MappingProxyType({})


def code_files(folder: Path, packages: Packages = NO_PACKAGES) -> Files:
    """List the files of the code layer as (name in the layer, path), sorted by name.

    Each of the shared `packages` lies beside the function's own modules, whole, by the same rules. Raise SpecError as
    `tree_files` does, and where the folder has a module of a package's name.
    """
    files = tree_files(folder, leave_out=_is_left_out)
    for name, place in packages.items():
        if own := next((one for one, _ in files if _is_module(one, name)), ""):
            raise SpecError(
                f"{folder / own} has the name of the shared package {name} in {place}, and one would hide the other: "
                "rename one of them"
            )
    shared = [(f"{name}/{below}", path) for name, place in packages.items() for below, path in package_files(place)]
    return sorted([*files, *shared])


def _is_module(file: str, name: str) -> bool:
    """Tell whether `file`, a name in the layer, is what `import name` finds, or lies in it."""
    return file.startswith(f"{name}/") or (file.startswith(f"{name}.") and file.endswith((".py", ".so")))


def package_files(place: Path) -> Files:
    """List the files of the shared package in `place` that go into a bundle, as (name below it, path), sorted."""
    return tree_files(place, leave_out=_is_left_out)


def _is_left_out(name: str) -> bool:
    last = name.rsplit("/", 1)[-1]
    return name in LEFT_OUT_AT_TOP or any(fnmatch(last, pattern) for pattern in LEFT_OUT_ANYWHERE)


def tree_files(folder: Path, *, leave_out: Callable[[str], bool] = lambda name: False) -> Files:
    """List the files below `folder` as (name, path), sorted by name, except those that `leave_out` accepts.

    A link to something within `folder` is replaced by its content. Raise SpecError for a link that leaves or goes in
    circles, and for anything but files and folders.
    """
    root = folder.resolve()
    if not root.is_dir():
        raise SpecError(f"{folder} is not a folder")
    return sorted(_Walk(root, leave_out).files(root, "", (root,)))


@dataclass(frozen=True)
class _Walk:
    root: Path
    leave_out: Callable[[str], bool]

    def files(self, folder: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
        for path in folder.iterdir():
            name = prefix + path.name
            if not self.leave_out(name):
                yield from self._files_of(path, name, above)

    def _files_of(self, path: Path, name: str, above: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
        real = self._followed(path)
        mode = real.stat().st_mode
        if stat.S_ISREG(mode):
            yield name, real
        elif not stat.S_ISDIR(mode):
            raise SpecError(f"{path} is neither a file nor a folder: it cannot go into a bundle; remove it")
        elif real in above:
            raise SpecError(f"{path} is a link to a folder that it lies in: remove it")
        else:
            yield from self.files(real, f"{name}/", (*above, real))

    def _followed(self, path: Path) -> Path:
        if not path.is_symlink():
            return path
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            raise SpecError(f"{path} is a link to nowhere, or to itself: remove it") from None
        if not real.is_relative_to(self.root):
            raise SpecError(
                f"{path} is a link that leaves {self.root}, to {real}: put a copy there, or remove the link and name "
                "what a builder reads in @edge_model(weights=...); code that several functions have is a package of "
                "the project: packages under [project] in edgefn.toml"
            )
        return real
