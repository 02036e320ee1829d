"""edgefn.toml: the project's name, its functions, what is built, and the boxes by name.

Owns reading and checking the file; docs/edgefn-toml.md documents each key. An invalid entry is an error here, before
anything is built or sent. Never talks to a box, never imports a function.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from edgefn.errors import SpecError
from edgefn.spec import NAME_PATTERN
from edgefn.targets import groups, profiles
from edgefn.targets.platforms import check_platform, check_python
from edgefn.text.quantities import parse_duration
from edgefn.text.tables import TableFile

FILE_NAME = "edgefn.toml"


class ProjectTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[project]"""

    name: str
    default_box: str = ""
    packages: tuple[str, ...] = ()


class FunctionTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[functions.NAME]"""

    path: str


class BuildTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[build]"""

    targets: tuple[str, ...] = ("portable/fp32",)
    output: str = ".edgefn/bundles"
    python: str = "3.11"
    platform: str = "manylinux_2_28_x86_64"
    compile_timeout: str = "15min"


class BoxTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[boxes.NAME]; without a URL it is the login of that name."""

    url: str = ""


TABLES: Mapping[str, type[msgspec.Struct]] = {
    "project": ProjectTable,
    "functions": FunctionTable,
    "build": BuildTable,
    "boxes": BoxTable,
}


@dataclass(frozen=True)
class Project:
    """A project, from its edgefn.toml or from the defaults without one. Paths are absolute.

    `file` is None for a project without edgefn.toml; its root is then the folder that the functions lie in.
    `packages` are the folders of the shared packages, by name.
    """

    root: Path
    name: str
    file: Path | None = None
    functions: Mapping[str, Path] = field(default_factory=dict)
    build: BuildTable = field(default_factory=BuildTable)
    boxes: Mapping[str, str] = field(default_factory=dict)
    default_box: str = ""
    packages: Mapping[str, Path] = field(default_factory=dict)

    @property
    def output(self) -> Path:
        """Return the layout directory that bundles are written to."""
        return self.root / self.build.output

    @property
    def profiles(self) -> Path | None:
        """Return the folder of the project's own hardware profiles; None without edgefn.toml.

        The folder may be missing.
        """
        return None if self.file is None else self.root / profiles.FOLDER

    @classmethod
    def find(cls, start: Path) -> Project:
        """Find the project of `start`: a function's folder, or a folder above or below one.

        The nearest edgefn.toml from `start` upwards; without one, a project of the defaults whose root is the parent of
        `start` when that is a function's folder, else `start`. Raise SpecError.
        """
        start = start.resolve()
        start = start if start.is_dir() else start.parent
        for folder in (start, *start.parents):
            if (folder / FILE_NAME).is_file():
                return cls.read(folder / FILE_NAME)
        root = start.parent if (start / f"{start.name}.py").is_file() else start
        return cls(root, root.name or "project")

    @classmethod
    def read(cls, path: Path) -> Project:
        """Read the project from the file. Raise SpecError with the line and the nearest key."""
        path = path.resolve()
        file = TableFile(path)
        file.check_keys(tuple(TABLES))
        if "project" not in file.data:
            file.refuse('there is no [project]: add [project] and name = "..." below it', "project")
        project = file.table("project", file.data["project"], ProjectTable)
        build = file.table("build", file.data.get("build", {}), BuildTable)
        functions = file.tables("functions", file.data.get("functions", {}), FunctionTable)
        boxes = file.tables("boxes", file.data.get("boxes", {}), BoxTable)
        _check_build(file, build, path.parent / profiles.FOLDER)
        _check_names(file, functions)
        return cls(
            root=path.parent,
            name=project.name or file.refuse("'name' in [project] is empty: give one", "project", "name"),
            file=path,
            functions={name: (path.parent / table.path).resolve() for name, table in functions.items()},
            build=build,
            boxes={name: _url(file, name, table.url) for name, table in boxes.items()},
            default_box=_default_box(file, project.default_box, boxes),
            packages={name: _package(file, name) for name in _unlike_functions(file, project.packages, functions)},
        )

    def function(self, name_or_path: str) -> Path:
        """Return the folder of the function: one of [functions], else a path. Raise SpecError without one."""
        if name_or_path in self.functions:
            folder, where = self.functions[name_or_path], f"[functions.{name_or_path}] of {self.file}"
        else:
            folder, where = Path(name_or_path).resolve(), "the path given"
        if not (folder / f"{folder.name}.py").is_file():
            known = ", ".join(self.functions) or "none"
            raise SpecError(
                f"no function in {folder}, {where}: it has no {folder.name}.py; functions of this project: {known}"
            )
        return folder


def _check_build(file: TableFile, build: BuildTable, folder: Path) -> None:
    if not build.targets or len(set(build.targets)) < len(build.targets):
        file.refuse("'targets' in [build] is empty or names one twice", "build", "targets")
    profiles.profiles(folder)  # a wrong profile is told with its own file and line
    try:
        for name in build.targets:
            groups.check(name, what="'targets' in [build]: target", folder=folder)
        check_python(build.python, what="'python' in [build]")
        check_platform(build.platform, what="'platform' in [build]")
        if not parse_duration(build.compile_timeout, what="'compile_timeout' in [build]"):
            raise SpecError("'compile_timeout' in [build] is no time at all: write e.g. \"15min\"")
    except SpecError as error:
        key = re.match(r"'(\w+)'", str(error))
        file.refuse(str(error), "build", key[1] if key else "")
    if not build.output:
        file.refuse("'output' in [build] is empty: name a folder", "build", "output")


def _check_names(file: TableFile, functions: Mapping[str, FunctionTable]) -> None:
    for name, table in functions.items():
        if not re.fullmatch(NAME_PATTERN, name):
            file.refuse(f"{name!r} is no function's name: lower-case letters, digits and _", f"functions.{name}")
        if not table.path:
            file.refuse(f"'path' in [functions.{name}] is empty: name a folder", f"functions.{name}", "path")
        if (folder := (file.path.parent / table.path).resolve().name) != name:
            file.refuse(
                f"'path' in [functions.{name}] is a folder {folder!r}, whose function has that name: write "
                f"[functions.{folder}], or rename the folder",
                f"functions.{name}",
                "path",
            )


_OURS = ("edgefn", "edgefn_runtime", "edgefn_cli")


def _unlike_functions(file: TableFile, names: tuple[str, ...], functions: Mapping[str, FunctionTable]) -> list[str]:
    """Return the shared packages' names. Raise SpecError for one that is there twice or is a function's."""
    for name in names:
        if names.count(name) > 1:
            file.refuse(f"'packages' in [project] names {name} twice", "project", "packages")
        for function, table in functions.items():
            if name in (function, Path(table.path).name):
                file.refuse(
                    f"{name!r} in 'packages' of [project] has the name of [functions.{function}], whose module would "
                    "hide it: rename one of them",
                    "project",
                    "packages",
                )
    return list(names)


def _package(file: TableFile, name: str) -> Path:
    """Return the folder of a shared package. Raise SpecError for what nobody could import by `name`."""
    problem, folder = "", file.path.parent / name
    if not name.isidentifier() or keyword.iskeyword(name):
        problem = f'cannot be imported: name a Python package beside {FILE_NAME}, e.g. "common"'
    elif name in sys.stdlib_module_names or name in _OURS:
        problem = f"is a module of {'edgefn' if name in _OURS else 'Python'} already: rename the folder"
    elif not folder.is_dir():
        problem = f"is not there: make the folder {folder} with an __init__.py, or take the name out"
    elif not (folder / "__init__.py").is_file():
        problem = f"is no package: add an empty {folder / '__init__.py'}"
    if problem:
        file.refuse(f"{name!r} in 'packages' of [project] {problem}", "project", "packages")
    return folder.resolve()


def _url(file: TableFile, name: str, url: str) -> str:
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        right = False
    if not right or parts.query or parts.fragment or parts.username:
        file.refuse(f"'url' in [boxes.{name}] is {url!r}: write http://HOST:PORT", f"boxes.{name}", "url")
    return url.rstrip("/")


def _default_box(file: TableFile, name: str, boxes: Mapping[str, BoxTable]) -> str:
    if name and name not in boxes:
        file.refuse(f"'default_box' is {name!r}, which is not under [boxes]", "project", "default_box")
    return name or (next(iter(boxes)) if len(boxes) == 1 else "")
